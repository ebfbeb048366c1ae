/** A server that answers every request with an object of ten bytes, now and then in a way that never ends. */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Answer =
  | 'whole'
  | 'stalls at once'
  | 'stalls in mid-body'
  | 'has no length'
  | 'promises too much'
  | 'breaks off a 404'
  | 'breaks off a 403';

const BODY = Buffer.from('0123456789');
const HEADERS = { etag: '"e"', 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' } as const;

/** A refusal whose reason nobody gets to read. */
const breakOff = (status: number) => (response: ServerResponse) => {
  response
    .writeHead(status, { 'content-type': 'application/xml', 'content-length': 200 })
    .write('<?xml version="1.0"?><Error><Co');
  response.socket?.destroySoon();
};

const ANSWERS: Readonly<Record<Answer, (response: ServerResponse) => void>> = {
  whole: (response) => response.writeHead(200, { ...HEADERS, 'content-length': 10 }).end(BODY),
  'stalls at once': () => {},
  'stalls in mid-body': (response) => {
    response.writeHead(200, { ...HEADERS, 'content-length': 10 }).write(BODY.subarray(0, 4));
  },
  'has no length': (response) => {
    response.writeHead(200, HEADERS).write(BODY.subarray(0, 4));
    response.end(BODY.subarray(4));
  },
  'promises too much': (response) => {
    response.writeHead(200, { ...HEADERS, 'content-length': 11 }).write(BODY);
    response.socket?.destroySoon();
  },
  'breaks off a 404': breakOff(404),
  'breaks off a 403': breakOff(403),
};

export interface StallingS3 {
  readonly endpoint: string;
  /** What is answered next, one after the other; after that `whole`. */
  next(...answers: Answer[]): void;
  /** Requests since `next`. */
  count(): number;
  /** Closes the connections that are idle, as S3 does after some seconds, without having said when. */
  dropIdle(): void;
  close(): Promise<void>;
}

export async function startStallingS3(): Promise<StallingS3> {
  let answers: Answer[] = [];
  let count = 0;
  const server = createServer((_, response) => {
    count++;
    ANSWERS[answers.shift() ?? 'whole'](response);
  });
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next(...given) {
      answers = given;
      count = 0;
    },
    count: () => count,
    dropIdle: () => server.closeIdleConnections(),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
