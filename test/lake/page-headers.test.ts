import { expect, test } from '@jest/globals';
import { checkPageClaims } from '../../src/lake/page-headers.ts';
import { pageOf } from './chunks.ts';
import { doubles } from './handmade-parquet.ts';

test('a page that claims more than its whole column is not handed to parquet-wasm, which would make room for it', () => {
  const page = { values: 1, body: doubles(7) };
  const claims = (raw: number) => Buffer.concat([pageOf(page), pageOf({ ...page, raw })]);
  expect(() => checkPageClaims(claims(2 ** 29), 2 ** 20)).toThrow(
    'a page claims 536870912 bytes, of a column that has 1048576',
  );
  // What may be: a column as large, or a page that is not.
  checkPageClaims(claims(2 ** 29), 2 ** 30);
  checkPageClaims(claims(2 ** 25), 100);
  // What is no header is the decoder's affair.
  checkPageClaims(Buffer.from('no page'), 0);
  checkPageClaims(claims(2 ** 29).subarray(0, 10), 0);
});
