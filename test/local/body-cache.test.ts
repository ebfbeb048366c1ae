import { expect, test } from '@jest/globals';
import { BodyCache } from '../../src/local/body-cache.ts';

function reader() {
  const reads: string[] = [];
  const cache = new BodyCache(10);
  const get = (name: string, etag: string, size: number) =>
    cache.get(name, etag, () => {
      reads.push(`${name} ${etag}`);
      return Buffer.alloc(size, etag);
    });
  return { get, reads };
}

test('a body is read once, and again when its ETag has changed', () => {
  const { get, reads } = reader();
  expect(get('a', '1', 4).toString()).toBe('1111');
  expect(get('a', '1', 4).toString()).toBe('1111');
  expect(get('a', '2', 4).toString()).toBe('2222');
  expect(reads).toEqual(['a 1', 'a 2']);
});

test('the bodies longest unread make room, and one larger than all room is not kept', () => {
  const { get, reads } = reader();
  get('a', '1', 4);
  get('b', '1', 4);
  get('a', '1', 4);
  get('c', '1', 4);
  get('large', '1', 11);
  reads.length = 0;
  for (const name of ['a', 'c', 'large', 'b']) get(name, '1', name === 'large' ? 11 : 4);
  expect(reads).toEqual(['large 1', 'b 1']);
});
