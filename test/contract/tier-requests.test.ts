import { describe, expect, test } from '@jest/globals';
import {
  identifyTierRequest,
  parseCompactionRequest,
  parseHotUploadRequest,
  tierFailed,
  tierHeartbeat,
  tierStarted,
  tierSucceeded,
} from '../../src/contract/tier-requests.ts';

const upload = {
  type: 'hot_upload_requested',
  requestId: 'b6cf4b29-1111-4c6e-9d57-000000000001',
  provider: 'aws',
  timestamp: '2026-01-23T14:23:00Z',
  changed: { rows: [{ InstanceType: 'm5.large', SPS: 3 }] },
  removed: { uri: 's3://bucket/staging/removed.jsonl.gz' },
  onConflict: 'fail',
  compact: true,
};

const compaction = {
  type: 'compaction_requested',
  requestId: 'r1',
  provider: 'aws',
  timestamp: '2026-01-23T14:23:00Z',
  hotKey: 'parquet_cp_hot/aws/2026/01/23/14-20.parquet',
};

describe('a hot upload request', () => {
  test('is read as the design shows it', () => {
    expect(parseHotUploadRequest(upload)).toEqual({
      requestId: upload.requestId,
      provider: 'aws',
      timestamp: Date.UTC(2026, 0, 23, 14, 23),
      changed: { rows: [{ InstanceType: 'm5.large', SPS: 3 }] },
      removed: { uri: 's3://bucket/staging/removed.jsonl.gz', format: 'auto' },
      onConflict: 'fail',
      compact: true,
      sentinel: undefined,
    });
  });

  test('may leave out what has a default, and hold what is not known', () => {
    const { onConflict: _, compact: __, removed: ___, ...least } = upload;
    expect(parseHotUploadRequest({ ...least, traceId: 7, sentinel: -1 })).toMatchObject({
      removed: undefined,
      onConflict: 'fail',
      compact: false,
      sentinel: -1,
    });
    expect(parseHotUploadRequest({ ...upload, removed: null }).removed).toBeUndefined();
  });

  test.each([
    [{ timestamp: '2026-01-23T14:23:00' }, 'timestamp must be timezone-aware'],
    [{ requestId: 'a/b' }, 'requestId: must be 1 to 128'],
    [{ provider: '' }, 'provider: must not be empty'],
    [{ changed: undefined, removed: undefined }, 'the document: must have "changed" or "removed" rows'],
    [{ changed: {} }, 'changed: must hold either "rows", a list of objects, or "uri"'],
    [{ changed: { rows: [], uri: 'x' } }, 'changed: must hold either'],
    [{ changed: { rows: [1] } }, 'changed: must hold either'],
    [{ removed: { uri: 'x', format: 'xml' } }, 'removed: must hold either'],
    [{ onConflict: 'overwrite' }, 'onConflict: must be "fail" or "skip"'],
    [{ compact: 'yes' }, 'compact: '],
  ])('with %j is refused', (change, message) => {
    const parse = () => parseHotUploadRequest({ ...upload, ...change });
    expect(parse).toThrow(message);
    expect(parse).toThrow(expect.objectContaining({ code: 'CONFIG_ERROR', kind: 'invalid' }));
  });
});

describe('a compaction request', () => {
  test('names a hot key, or a month and how', () => {
    expect(parseCompactionRequest(compaction).target).toEqual({ hotKey: compaction.hotKey });
    const { hotKey: _, ...rest } = compaction;
    const month = { year: 2026, month: 1 };
    expect(parseCompactionRequest({ ...rest, month: '2026-01', mode: 'full' }).target).toEqual({
      month,
      mode: 'full',
    });
    expect(parseCompactionRequest({ ...rest, month: '2026-01' }).target).toEqual({ month, mode: 'catch_up' });
  });

  test.each([
    [{ hotKey: undefined }, 'hotKey: must be there, or "month"'],
    [{ month: '2026-01' }, 'month: must not be there beside "hotKey"'],
    [{ mode: 'full' }, 'mode: must not be there beside "hotKey"'],
    [{ hotKey: undefined, month: '2026' }, 'month: "2026" is not a month'],
    [{ hotKey: undefined, month: '2026-01', mode: 'all' }, 'mode: must be "catch_up" or "full"'],
    [{ timestamp: '2026-01-23T14:23:00' }, 'timestamp must be timezone-aware'],
  ])('with %j is refused', (change, message) => {
    expect(() => parseCompactionRequest({ ...compaction, ...change })).toThrow(message);
  });
});

describe('the events of the tiers', () => {
  const identity = { requestId: 'r1', provider: 'aws' };

  test('speak of a request that is not valid as far as it can be read', () => {
    expect(identifyTierRequest({ requestId: 'r1', provider: 7 })).toEqual({
      requestId: 'r1',
      provider: null,
    });
  });

  test('are as the design has them', () => {
    expect(tierStarted('hot_upload', identity, '2026-01-23T14:23:00Z')).toEqual({
      type: 'hot_upload_started',
      requestId: 'r1',
      provider: 'aws',
      startedAt: '2026-01-23T14:23:00Z',
    });
    expect(tierHeartbeat('compaction', identity, 0.5, '2026-01-23T14:23:00Z')).toEqual({
      type: 'compaction_heartbeat',
      requestId: 'r1',
      provider: 'aws',
      progress: 0.5,
      ts: '2026-01-23T14:23:00Z',
    });
    expect(
      tierSucceeded('hot_upload', identity, { outcome: 'uploaded', key: 'k', rows: 3, bytes: 900 }),
    ).toEqual({
      type: 'hot_upload_completed',
      requestId: 'r1',
      provider: 'aws',
      status: 'SUCCESS',
      outcome: 'uploaded',
      key: 'k',
      rows: 3,
      bytes: 900,
    });
    expect(tierFailed('hot_upload', identity, 'HOT_SLOT_CONFLICT', 'taken')).toEqual({
      type: 'hot_upload_completed',
      requestId: 'r1',
      provider: 'aws',
      status: 'FAILURE',
      error: { code: 'HOT_SLOT_CONFLICT', message: 'taken' },
    });
  });
});
