/** Codecs for hyparquet, from what Node has. */

import { zstdDecompressSync } from 'node:zlib';

export const compressors = {
  ZSTD: (body: Uint8Array) => new Uint8Array(zstdDecompressSync(body)),
};
