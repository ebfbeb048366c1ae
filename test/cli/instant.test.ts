import { describe, expect, test } from '@jest/globals';
import { instantOf } from '../../src/cli/instant.ts';

describe('a time that a person gives', () => {
  test.each([
    ['2026-01', '2026-01-01T00:00:00Z'],
    ['2026-01-23', '2026-01-23T00:00:00Z'],
    ['2026-01-23 14:20', '2026-01-23T14:20:00Z'],
    ['2026-01-23T14:20:05', '2026-01-23T14:20:05Z'],
    ['2026-01-23T14:20:05.125Z', '2026-01-23T14:20:05.125Z'],
    ['2026-01-23T14:20+02:00', '2026-01-23T12:20:00Z'],
  ])('as %j is %s, wherever the machine stands', (text, expected) => {
    expect(instantOf(text)).toBe(Date.parse(expected));
  });

  test.each(['7', '2026', '2026-02-30', '2026-13', 'tomorrow', '', '2026-01-23T25:00Z', '1/2/2026'])(
    'is not %j',
    (text) => {
      expect(instantOf(text)).toBeUndefined();
    },
  );
});
