/**
 * Control characters (C0 and DEL) in texts of others: refused in names, blanks where a text is shown or
 * stored. The one place that says which they are.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROLS = /[\u0000-\u001f\u007f]+/g;

export function hasControls(text: string): boolean {
  return text.search(CONTROLS) >= 0;
}

/** `text` with `instead` for each run of control characters. */
export function replaceControls(text: string, instead: string): string {
  return text.replace(CONTROLS, instead);
}
