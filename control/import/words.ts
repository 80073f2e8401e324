/** How keepalived cuts a line into words, and the command of a script into its arguments. Pure. */

/** A quote that is not closed. */
export const unclosedQuote = Symbol('unclosed quote')

/** By white space; "double quotes" make one word. */
export function splitWords(text: string): readonly string[] | typeof unclosedQuote {
  const words: string[] = []
  for (const [, quoted, closing, plain] of text.matchAll(/"([^"]*)("?)|([^\s"]+)/g)) {
    if (quoted !== undefined && closing === '') return unclosedQuote
    words.push(quoted ?? plain!)
  }
  return words
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v', a: '\x07' }

/** As a shell would without expanding anything: both kinds of quotes, which may stand inside a word, and backslashes. */
export function splitCommand(text: string): readonly string[] | typeof unclosedQuote {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i]!
    if (character === '\\' && i + 1 < text.length) {
      i += 1
      const hex = /^x[0-9a-f]{1,2}/i.exec(text.slice(i))?.[0]
      if (hex !== undefined) i += hex.length - 1
      word =
        (word ?? '') +
        (hex === undefined ? (escapes[text[i]!] ?? text[i]!) : String.fromCharCode(parseInt(hex.slice(1), 16)))
    } else if (quote !== '') {
      if (character === quote) quote = ''
      else word += character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== '') return unclosedQuote
  return word === undefined ? words : [...words, word]
}
