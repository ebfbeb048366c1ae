/** Texts as values of SQS and SNS message attributes. */

import { replaceControls } from '../common/control-characters.ts';

const MAX_LENGTH = 256;

/**
 * `text` as SQS and SNS take it for an attribute: what they refuse stands as a blank, it is cut
 * to 256 characters, and an empty one is a dash.
 */
export function attributeText(text: string): string {
  const cut = text.slice(0, MAX_LENGTH).toWellFormed();
  return replaceControls(cut, ' ').replace(/[\ufffe\uffff]/g, ' ') || '-';
}
