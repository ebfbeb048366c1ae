/**
 * The thread's instance of parquet-wasm. A panic in it (`RuntimeError: unreachable`) leaves its stack and
 * its objects as they were in the middle of things, so an instance that panicked is never used again: the
 * next user gets a fresh one, and the collector takes the old one with all of its memory.
 *
 * Thread-only: the first use compiles the module.
 */

import { createRequire } from 'node:module';
import { InvalidRequestError, messageOf } from '../common/errors.ts';

export type ParquetWasm = typeof import('parquet-wasm');

let current: ParquetWasm | undefined;

/** The instance to use from here on; who holds objects of one must use that one for them. */
export function parquetWasm(): ParquetWasm {
  // A `require` of its own: what has required a module holds it for good.
  current ??= createRequire(import.meta.url)('parquet-wasm') as ParquetWasm;
  return current;
}

/** An instance that a failure left with more is not kept: its memory never shrinks, whatever a file made it ask for. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;

/**
 * Gives up `instance` if `error`, which a call into it threw, was a panic, or has left it large; returns whether
 * it was a panic.
 */
export function retireAfter(instance: ParquetWasm, error: unknown): boolean {
  const panicked = error instanceof Error && error.name === 'RuntimeError';
  const isLarge = instance.wasmMemory().buffer.byteLength > MAX_KEPT_BYTES;
  if ((panicked || isLarge) && current === instance) {
    const require = createRequire(import.meta.url);
    delete require.cache[require.resolve('parquet-wasm')];
    current = undefined;
  }
  return panicked;
}

/** What is said of a file that it could not decode. */
export function undecodable(fileName: string, cause: unknown): InvalidRequestError {
  const what = `${fileName} can not be decoded: ${messageOf(cause).slice(0, 200)}`;
  return new InvalidRequestError('INPUT_READ_ERROR', what, { cause });
}
