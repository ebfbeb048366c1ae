/** Log lines: JSON, without secrets, and bounded, whatever is logged. */

import { expect, test } from '@jest/globals';
import { createLogger } from '../../src/observability/logger.ts';

function logged(work: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = [];
  work(createLogger('info', '1', { write: (line) => void lines.push(line) }));
  for (const line of lines) expect(line.length).toBeLessThan(64_000);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const URL = 'postgres://u:hunter2@db/ledger';

test('secrets are left out of messages, fields, nested fields, errors, and what every line of a child has', () => {
  const lines = logged((logger) => {
    logger.info(URL);
    logger.info(
      { a: URL, b: [{ c: URL }], aws: { secretAccessKey: 'hunter2' }, error: new Error(URL) },
      `at ${URL}`,
    );
    logger.child({ run_id: URL }).warn('child');
    logger.error(new Error(URL));
  });
  expect(lines).toHaveLength(4);
  expect(JSON.stringify(lines)).not.toContain('hunter2');
  expect(lines[1]).toMatchObject({
    msg: 'at postgres://[redacted]@db/ledger',
    a: 'postgres://[redacted]@db/ledger',
    b: [{ c: 'postgres://[redacted]@db/ledger' }],
    aws: { secretAccessKey: '[redacted]' },
  });
  expect(lines[3]).toMatchObject({ level: 'error', msg: 'postgres://[redacted]@db/ledger' });
});

test('a line is bounded, and one line, whatever stands in it', () => {
  const long = `${'x'.repeat(1_000_000)}\n{"level":"fatal"}`;
  const [line, child] = logged((logger) => {
    logger.info({ long, many: Array.from({ length: 100_000 }, (_, i) => i) }, long);
    logger
      .child({ metric_code: `a\n{"level":"fatal"}` })
      .info({ deep: { a: { b: { c: { d: { e: 1 } } } } } });
  });
  expect(String(line!.long).length).toBe(8_192);
  expect(String(line!.msg).length).toBe(8_192);
  expect(line!.many).toHaveLength(100);
  expect(child).toMatchObject({ level: 'info', metric_code: 'a\n{"level":"fatal"}' });
});
