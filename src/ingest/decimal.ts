/**
 * Numbers as people and programs write them: 1,234.56 · 1.234,56 · $1 234 · (12.5) · 12 % · 1e-3.
 *
 * One rule decides: the decimal sign is what the request says; the other one of `.` and `,` groups
 * thousands. With `auto` a text must tell by itself (both signs, one sign more than once, not three
 * digits behind it, or more than three before it); one that does not is no number, since guessing would
 * be wrong by a thousand.
 */

import type { DecimalStyle } from '../contract/ingest-run.ts';

const PLAIN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Blanks that group thousands: space, no-break, narrow no-break, thin; and the Swiss apostrophes. */
const GROUP_BLANKS = /(?<=\d)[ \u00a0\u202f\u2009'\u2019](?=\d{3}(?!\d))/g;
const CURRENCY =
  /^(?:[\p{Sc}]|[A-Z]{3}(?=[\s\d.,(+-])|[A-Z]{1,2}\$|Fr\.?|kr\.?|zł|Kč)|(?:[\p{Sc}]|(?<=[\s\d.,)])[A-Z]{3}|kr\.?|zł|Kč)$/u;

/** The number that `text` stands for, or undefined where it is none. Percentages are divided by 100. */
export function decimalOf(text: string, style: DecimalStyle): number | undefined {
  const trimmed = text.trim();
  if (style !== ',' && PLAIN.test(trimmed)) {
    if (style === '.' || !/^[+-]?[1-9]\d{0,2}\.\d{3}$/.test(trimmed)) return finite(Number(trimmed));
    return undefined;
  }
  return decorated(trimmed, style);
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function decorated(text: string, style: DecimalStyle): number | undefined {
  let rest = text;
  let sign = 1;
  let factor = 1;
  let signed = false;
  const negate = (): boolean => {
    if (signed) return false;
    signed = true;
    sign = -1;
    return true;
  };
  if (rest.startsWith('(') && rest.endsWith(')')) {
    rest = rest.slice(1, -1).trim();
    if (!negate()) return undefined;
  }
  // Sign, currency and per cent stand around the digits in any order, each once.
  let currency = false;
  for (let peeled = true; peeled && rest !== ''; ) {
    peeled = false;
    const first = rest[0]!;
    if (/[+\-\u2212]/.test(first)) {
      if (first === '+') {
        if (signed) return undefined;
        signed = true;
      } else if (!negate()) return undefined;
      rest = rest.slice(1).trim();
      peeled = true;
    } else if (rest.endsWith('%')) {
      if (factor !== 1) return undefined;
      factor = 100;
      rest = rest.slice(0, -1).trim();
      peeled = true;
    } else if (/\d-$/.test(rest)) {
      if (!negate()) return undefined;
      rest = rest.slice(0, -1);
      peeled = true;
    } else if (!currency) {
      const match = CURRENCY.exec(rest);
      if (match !== null) {
        currency = true;
        rest = (match.index === 0 ? rest.slice(match[0].length) : rest.slice(0, match.index)).trim();
        peeled = true;
        if (rest.startsWith('(') && rest.endsWith(')')) {
          rest = rest.slice(1, -1).trim();
          if (!negate()) return undefined;
        }
      }
    }
  }
  const plain = ungrouped(rest.replace(GROUP_BLANKS, ''), style);
  if (plain === undefined || !PLAIN.test(plain)) return undefined;
  const value = finite(Number(plain));
  return value === undefined ? undefined : (sign * value) / factor;
}

/** Digits with `.` as the decimal sign and no groups, or undefined where the groups are not groups. */
function ungrouped(digits: string, style: DecimalStyle): string | undefined {
  const decimal = style === 'auto' ? decimalSignOf(digits) : style;
  if (decimal === undefined) return undefined;
  const group = decimal === '.' ? ',' : '.';
  const at = digits.indexOf(decimal);
  const whole = at < 0 ? digits : digits.slice(0, at);
  const fraction = at < 0 ? '' : digits.slice(at + 1);
  if (fraction.includes(group) || fraction.includes(decimal)) return undefined;
  const exponent = /^(.*?)([eE].*)?$/s.exec(whole);
  const groups = (exponent?.[1] ?? whole).split(group);
  if (
    groups.length > 1 &&
    !(/^[1-9]\d{0,2}$/.test(groups[0]!) && groups.slice(1).every((part) => /^\d{2,3}$/.test(part)))
  ) {
    return undefined;
  }
  // The last group has three digits; those before it two or three (the Indian lakh: 12,34,567).
  if (groups.length > 1 && groups.at(-1)!.length !== 3) return undefined;
  const joined = groups.join('') + (exponent?.[2] ?? '');
  return at < 0 ? joined : `${joined}.${fraction}`;
}

function decimalSignOf(digits: string): '.' | ',' | undefined {
  const dots = digits.split('.').length - 1;
  const commas = digits.split(',').length - 1;
  if (dots > 0 && commas > 0) return digits.lastIndexOf('.') > digits.lastIndexOf(',') ? '.' : ',';
  if (dots + commas === 0) return '.';
  const sign = dots > 0 ? '.' : ',';
  if (dots + commas > 1) return sign === '.' ? ',' : '.';
  // One sign and three digits behind one to three others could be either.
  return /^\d{1,3}[.,]\d{3}$/.test(digits) && !digits.startsWith('0') ? undefined : sign;
}
