/** A time as people give it to a command. */

const INSTANT = /^(\d{4}-\d\d(?:-\d\d)?)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?(Z|[+-]\d\d:\d\d)?$/;

/**
 * The time in milliseconds since the epoch: a month, a day, or with a clock, and without an offset in UTC.
 * Undefined for any other text, and for a day that no month has.
 */
export function instantOf(text: string): number | undefined {
  const [, date, time = '00:00', zone = 'Z'] = INSTANT.exec(text) ?? [];
  if (date === undefined) return undefined;
  const day = date.length === 7 ? `${date}-01` : date;
  // Date.parse takes February 30th for March 2nd.
  const midnight = new Date(`${day}T00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day) return undefined;
  const ms = Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(ms) ? undefined : ms;
}
