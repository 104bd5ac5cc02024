/**
 * How hard a token is to guess. A relay slows down guesses of one address, and a stranger can have many addresses: so a
 * token must not be found even by those who guess without end.
 */

/** Fewest characters of a token. */
const MIN_CHARACTERS = 16

/** Least strength of a token, in bits: 2^63 guesses on average. */
const MIN_BITS = 64

/** The kinds of characters, and how many characters a kind has. The first two are of random tokens, as programs print them. */
const ALPHABETS: readonly (readonly [RegExp, number])[] = [
  [/^[0-9]*$/, 10],
  [/^(?:[0-9a-f]*|[0-9A-F]*)$/, 16],
  [/^[a-z]*$/, 26],
  [/^[A-Z]*$/, 26],
  [/^(?:[0-9a-z]*|[0-9A-Z]*)$/, 36],
  [/^[a-zA-Z]*$/, 52],
  [/^[0-9a-zA-Z]*$/, 62],
]
const ALL_CHARACTERS = 94

/**
 * Says why a token is too easy to guess, and how to make a better one. Undefined if it is not. It is an estimate: a text that
 * somebody knows counts as much as random characters.
 */
export function weaknessOf(token: string): string | undefined {
  const characters = Array.from(token).length
  const bits = Math.floor(estimateBits(token))
  if (characters >= MIN_CHARACTERS && bits >= MIN_BITS) return undefined
  return (
    `the token is too easy to guess (${characters} characters, some ${bits} bits; at least ${MIN_CHARACTERS} and ${MIN_BITS}); ` +
    'make one with: openssl rand -hex 32'
  )
}

function estimateBits(token: string): number {
  // what is written twice counts once
  const [, unit = token] = /^(.+?)\1+$/su.exec(token) ?? []
  const [, alphabet] = ALPHABETS.find(([pattern]) => pattern.test(unit)) ?? [undefined, ALL_CHARACTERS]
  const codes = Array.from(unit, it => it.codePointAt(0) ?? 0)
  // a sequence, such as aaaa, 1234 or fedc, counts as its first character
  const surprising = codes.filter((code, at) => at === 0 || Math.abs(code - (codes[at - 1] ?? 0)) > 1).length
  const counted = surprising * 2 < codes.length ? surprising : codes.length
  // of few different characters, such as 0110
  const perCharacter = Math.log2(Math.min(alphabet, Math.max(2, new Set(codes).size ** 2)))
  return counted * perCharacter
}
