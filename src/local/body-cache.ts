/**
 * The bodies of objects that lie on disk and were read lately. fauxqs reads the whole file for every
 * range of it; a Parquet reader asks for many. A body is known by its ETag, so a newer one under the
 * same key is never mistaken for it.
 */

interface Entry {
  readonly etag: string;
  readonly body: Buffer;
}

export class BodyCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The body named so with this ETag, from memory or else from `read`. */
  get(name: string, etag: string, read: () => Buffer): Buffer {
    const known = this.#entries.get(name);
    const body = known?.etag === etag ? known.body : read();
    this.#drop(name);
    if (body.length <= this.#maxBytes) {
      this.#entries.set(name, { etag, body });
      this.#bytes += body.length;
    }
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
    return body;
  }

  #drop(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#bytes -= entry.body.length;
  }
}
