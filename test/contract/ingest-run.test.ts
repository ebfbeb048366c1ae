import { describe, expect, test } from '@jest/globals';
import { parseIngestRunRequest } from '../../src/contract/ingest-run.ts';

const body = (options?: unknown) => ({
  type: 'ingest_run_requested',
  requestId: 'r',
  ingestionId: 'i',
  source: { prefix: 'raw/' },
  mapping: { layout: 'wide', time: 't', values: { a: 'A' } },
  target: { datasetId: 'd' },
  ...(options === undefined ? {} : { options }),
});

describe('options.failedOnly', () => {
  test.each([
    [undefined, false],
    [{ failedOnly: false }, false],
    [{ failedOnly: true, retryFailed: true }, true],
  ])('of %j is told apart from the request, which a replay repeats', (options, failedOnly) => {
    const order = parseIngestRunRequest(body(options));
    expect(order.failedOnly).toBe(failedOnly);
    expect(order.request.options).toEqual({
      maxFiles: 1_000_000,
      retryFailed: true,
      force: false,
      maxBadRows: 0,
    });
  });

  test('that is no truth value is refused with all else that is wrong', () => {
    const wrong = () => parseIngestRunRequest(body({ failedOnly: 'yes', maxBadRows: -1 }));
    expect(wrong).toThrow(/options\.failedOnly: must be true or false, got text "yes"/);
    expect(wrong).toThrow(/options\.maxBadRows: /);
  });
});
