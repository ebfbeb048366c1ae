/** How Parquet output may be compressed (`OUTPUT_COMPRESSION`). */

export const OUTPUT_COMPRESSIONS = ['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4'] as const;

export type OutputCompression = (typeof OUTPUT_COMPRESSIONS)[number];
