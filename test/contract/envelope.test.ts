import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { NotARequestError } from '../../src/common/errors.ts';
import { unwrap } from '../../src/contract/envelope.ts';

const REQUEST = { type: 'metric_run_requested', runId: 'r' };

function reasonOf(text: string, attribute?: string): string {
  try {
    unwrap(text, attribute);
  } catch (error) {
    if (error instanceof NotARequestError) return error.reason;
    throw error;
  }
  return 'a request';
}

/** Requests as JSON gives them: any fields beside a type; none that looks like a notification. */
const requests = fc
  .tuple(fc.string({ minLength: 1 }), fc.dictionary(fc.string(), fc.jsonValue()))
  .map(
    ([type, fields]) => JSON.parse(JSON.stringify({ ...fields, Type: undefined, type })) as { type: string },
  );

const attributes = (type: string) => ({ MessageAttributes: { type: { Type: 'String', Value: type } } });

describe('a request comes out of its message as it was put in', () => {
  test.each<[how: string, wrap: (request: object, type: string) => [text: string, attribute?: string]]>([
    ['bare', (request) => [JSON.stringify(request)]],
    ['bare, with its type as attribute', (request, type) => [JSON.stringify(request), type]],
    ['indented', (request) => [`\n${JSON.stringify(request, null, 4)}\n`]],
    ['in a notification', (request) => [notification(request)]],
    ['in a notification with its type', (request, type) => [notification(request, attributes(type))]],
    ['in a notification, with its type as attribute', (request, type) => [notification(request), type]],
  ])('%s', (_, wrap) => {
    fc.assert(
      fc.property(requests, (request) => {
        expect(unwrap(...wrap(request, request.type))).toEqual({ type: request.type, body: request });
      }),
    );
  });

  function notification(request: object, more: object = {}): string {
    return JSON.stringify({
      Type: 'Notification',
      MessageId: 'x',
      Message: JSON.stringify(request),
      ...more,
    });
  }
});

test('no text makes it throw anything but NotARequestError', () => {
  const any = fc.oneof(
    fc.string(),
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify({ Type: 'Notification', Message: value })),
  );
  fc.assert(
    fc.property(any, fc.option(fc.string(), { nil: undefined }), (text, type) => void reasonOf(text, type)),
  );
});

test.each<[what: string, text: string, reason: string, attribute?: string]>([
  ['nothing', '', 'no_json'],
  ['a byte order mark', '\ufeff{"type":"a"}', 'no_json'],
  ['two documents', '{"type":"a"}{"type":"a"}', 'no_json'],
  ['a list of requests', JSON.stringify([REQUEST]), 'no_object'],
  ['an inherited type', '{"__proto__":{"type":"a"}}', 'no_type'],
  ['a type of blanks only, which is one', '{"type":" "}', 'a request'],
  ['another attribute', JSON.stringify(REQUEST), 'type_mismatch', 'other'],
  ['an attribute in another case', JSON.stringify(REQUEST), 'type_mismatch', 'Metric_run_requested'],
  ['a notification without a message', '{"Type":"Notification"}', 'no_type'],
  ['a notification whose message is an object', '{"Type":"Notification","Message":{"type":"a"}}', 'no_type'],
  [
    'a notification whose own attribute wins over that of the queue',
    JSON.stringify({
      Type: 'Notification',
      Message: JSON.stringify(REQUEST),
      ...attributes('metric_run_requested'),
    }),
    'a request',
    'other',
  ],
  [
    'a notification with attributes of odd shapes',
    JSON.stringify({
      Type: 'Notification',
      Message: JSON.stringify(REQUEST),
      MessageAttributes: { type: 'x' },
    }),
    'a request',
  ],
  [
    'a request with a field Type of its own',
    JSON.stringify({ ...REQUEST, Type: 'Notification' }),
    'a request',
  ],
])('%s', (_, text, reason, ...[attribute]) => {
  expect(reasonOf(text, attribute)).toBe(reason);
});
