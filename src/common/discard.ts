/**
 * Giving the memory of a dead typed array back at once, instead of at some later garbage collection:
 * batches are megabytes, and the collector only sees their small handles.
 */

/**
 * Frees the array's memory, where the array is all of its buffer (a part of one may have neighbours).
 * Nothing may use the array, or a view of its buffer, any more.
 */
export function discard(array: Float64Array | Int32Array | Uint8Array): void {
  const { buffer, byteLength } = array;
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength && byteLength > 0) buffer.transfer(0);
}

/** Frees all of the buffer that the array is a part of, unless it is one that Node has for many small ones. */
export function discardBuffer({ buffer }: Uint8Array): void {
  if (buffer.byteLength > Buffer.poolSize) discard(new Uint8Array(buffer));
}
