/** Docstrings as Markdown: links become code, tags become sentences. */

import type { JSDoc, JSDocableNode } from 'ts-morph'

/** What the docstring of a declaration says, its tags at the end. */
export function docOf(node: JSDocableNode | undefined): string {
  const doc = node?.getJsDocs().at(-1)
  if (doc === undefined) return ''
  return [withoutLinks(doc.getDescription()), ...tagsOf(doc)].join('\n').trim()
}

/** The text of a comment, its stars taken away. */
export function commentOf(comment: string): string {
  return withoutLinks(comment.replaceAll(/^[ \t]*\*[ \t]?/gm, ''))
}

function tagsOf(doc: JSDoc): string[] {
  const tags = doc.getTags().map(tag => {
    const text = withoutLinks(tag.getCommentText() ?? '').replaceAll(/\s*\n\s*/g, ' ')
    const name = tag.getTagName()
    if (name === 'default') return `- Default: ${text}`
    if (name === 'throws') return `- Throws ${throwsText(tag.getText())}`
    return `- ${name}: ${text}`
  })
  return tags.length === 0 ? [] : ['', ...tags]
}

/** `{Name} if something` becomes `Name` in code, and the rest as it is. */
function throwsText(tag: string): string {
  const text = commentOf(tag)
    .replace(/^@throws\s*/, '')
    .replaceAll(/\s*\n\s*/g, ' ')
  return withoutLinks(text.replace(/^\{(\w+)\}/, '`$1`'))
}

function withoutLinks(text: string): string {
  return text.replaceAll(/\{@link ([^}]+)\}/g, '`$1`').trim()
}
