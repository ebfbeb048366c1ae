/** Texts as values of SQS and SNS message attributes. */

const MAX_LENGTH = 256;

/**
 * `text` as SQS and SNS take it for an attribute: characters that they refuse stand as blanks, it is cut
 * to 256 characters, and an empty one is a dash.
 */
export function attributeText(text: string): string {
  const cut = text.slice(0, MAX_LENGTH).toWellFormed();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return cut.replace(/[\u0000-\u001f\u007f\ufffe\uffff]/g, ' ') || '-';
}
