/**
 * The API reference, from the docstrings of what the package exports. Sources in, Markdown out.
 *
 * Reads the sources and not dist/, so that nothing has to be built. Types are shown as they are written.
 */

import { Node, Project } from 'ts-morph'
import { commentOf, docOf } from './docstring.ts'
import type { ExportedDeclarations, JSDocableNode, SourceFile, TypeElementTypes } from 'ts-morph'

/** An entry of `exports` in package.json. */
export interface EntryPoint {
  /** What is imported: `throughnat/relay`. */
  name: string
  /** Its source. */
  path: string
}

/** Writes the reference of these entry points, of the project whose root is `root`. */
export function apiReference(root: string, entryPoints: readonly EntryPoint[]): string {
  const project = new Project({
    skipAddingFilesFromTsConfig: true,
    skipFileDependencyResolution: true,
    compilerOptions: { allowImportingTsExtensions: true, noLib: true, types: [] },
  })
  project.addSourceFilesAtPaths(['src', 'peer', 'relay'].map(folder => `${root}/${folder}/**/*.ts`))
  const lines = entryPoints.flatMap(({ name, path }) => {
    const source = project.getSourceFileOrThrow(`${root}/${path}`)
    return [`## ${name}`, '', headOf(source), '', ...exportsOf(source).flatMap(section)]
  })
  return `${lines
    .join('\n')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim()}\n`
}

type Exported = [name: string, declaration: ExportedDeclarations]

/** What is exported, values before types, each in the order of the entry point. */
function exportsOf(source: SourceFile): Exported[] {
  const all = [...source.getExportedDeclarations()].flatMap(([name, [first]]): Exported[] => {
    return first === undefined ? [] : [[name, first]]
  })
  const isType = ([, it]: Exported): boolean =>
    Node.isInterfaceDeclaration(it) || Node.isTypeAliasDeclaration(it)
  return [...all.filter(it => !isType(it)), ...all.filter(isType)]
}

function headOf(source: SourceFile): string {
  return commentOf(source.getFullText().match(/^\s*\/\*\*([^]*?)\*\//)?.[1] ?? '')
}

function section([name, declaration]: Exported): string[] {
  const doc = docOf(documented(declaration))
  return [
    `### ${name}`,
    '',
    doc,
    '',
    '```ts',
    signatureOf(name, declaration),
    '```',
    '',
    ...membersOf(declaration),
    '',
  ]
}

function documented(declaration: Node): JSDocableNode | undefined {
  const owner = Node.isVariableDeclaration(declaration) ? declaration.getVariableStatement() : declaration
  return Node.isJSDocable(owner) ? owner : undefined
}

/** The declaration without what is inside of it. */
function signatureOf(name: string, declaration: ExportedDeclarations): string {
  if (Node.isFunctionDeclaration(declaration)) return functionText('function ', name, declaration)
  if (Node.isTypeAliasDeclaration(declaration)) return declaration.getText().replace(/^export /, '')
  if (Node.isVariableDeclaration(declaration))
    return `const ${name}: ${declaration.getTypeNode()?.getText() ?? declaration.getType().getText()}`
  const heritage = heritageOf(declaration)
  return `${Node.isClassDeclaration(declaration) ? 'class' : 'interface'} ${name}${heritage}`
}

function heritageOf(declaration: Node): string {
  if (!Node.isHeritageClauseable(declaration)) return ''
  return declaration
    .getHeritageClauses()
    .map(it => ` ${it.getText()}`)
    .join('')
}

interface Callable {
  getParameters(): Node[]
  getReturnTypeNode(): Node | undefined
}

function functionText(prefix: string, name: string, callable: Callable): string {
  const parameters = callable.getParameters().map(it => it.getText())
  return `${prefix}${name}(${parameters.join(', ')}): ${callable.getReturnTypeNode()?.getText() ?? 'void'}`
}

/** A list: each member as it is declared, and what is said of it. */
function membersOf(declaration: Node): string[] {
  return ownMembers(declaration).map(member => {
    const doc = Node.isJSDocable(member) ? docOf(member) : ''
    return `- \`${memberText(member)}\`${doc === '' ? '' : `\n\n${doc.replaceAll(/^(?=.)/gm, '  ')}\n`}`
  })
}

/** With those of interfaces that it stands for or extends and that nobody can import. */
function ownMembers(declaration: Node): Node[] {
  if (Node.isClassDeclaration(declaration)) return declaration.getMembers().filter(isPublic)
  if (Node.isInterfaceDeclaration(declaration))
    return [...declaration.getBaseDeclarations().flatMap(hiddenMembers), ...declaration.getMembers()]
  const type = Node.isTypeAliasDeclaration(declaration) ? declaration.getTypeNode() : undefined
  if (!Node.isTypeReference(type)) return []
  return type.getTypeName().getSymbol()?.getDeclarations().flatMap(hiddenMembers) ?? []
}

function hiddenMembers(base: Node): Node[] {
  return Node.isInterfaceDeclaration(base) && !base.isExported() ? ownMembers(base) : []
}

/** What users of a class see of it: no constructor, since a factory or libp2p makes it. */
function isPublic(member: Node): boolean {
  if (Node.isConstructorDeclaration(member) || Node.isClassStaticBlockDeclaration(member)) return false
  if (Node.isStaticable(member) && member.isStatic()) return false
  return Node.hasName(member) ? !/^(#|\[service|\[Symbol\.toStringTag)/.test(member.getName()) : true
}

function memberText(member: TypeElementTypes | Node): string {
  if (Node.isMethodDeclaration(member)) return functionText('', member.getName(), member)
  if (Node.isGetAccessorDeclaration(member))
    return `readonly ${member.getName()}: ${member.getReturnTypeNode()?.getText()}`
  if (Node.isPropertyDeclaration(member)) {
    const type = member.getTypeNode()?.getText() ?? member.getInitializer()?.getText()
    return `readonly ${member.getName()}: ${type}`
  }
  return member.getText().replaceAll(/\s*\n\s*/g, ' ')
}
