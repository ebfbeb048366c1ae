/**
 * Which host names hold a bucket. fauxqs takes the first label of any host with a dot for a bucket,
 * so that path-style requests to `host.docker.internal` or `s3.localhost` go astray. Here a host
 * holds a bucket when its first label is an existing one or the rest says so: `<bucket>.s3.…` and
 * `<bucket>.localhost`. Any other host is made one that fauxqs leaves alone.
 */

import type { FauxqsApp, S3Store } from './fauxqs.ts';

/** Whether `host` (with or without port) addresses S3 in the virtual-host style. */
export function isVirtualHost(host: string, hasBucket: (name: string) => boolean): boolean {
  const name = host.split(':', 1)[0] ?? '';
  const dot = name.indexOf('.');
  if (dot < 0 || /^[\d.]+$/.test(name)) return false;
  const first = name.slice(0, dot);
  const rest = name.slice(dot + 1);
  if (hasBucket(first)) return true;
  return first !== 's3' && (rest === 'localhost' || rest.startsWith('s3.'));
}

export function installHostStyle(app: FauxqsApp, store: S3Store): void {
  // Ahead of Fastify's own listener: it rewrites the URL before any of its hooks run.
  app.server.prependListener('request', (request) => {
    const { host, 'content-type': type = '' } = request.headers;
    // SQS and SNS requests keep their host, of which queue URLs are made; fauxqs does not rewrite them.
    if (host === undefined || type.includes('x-amz-json') || type.includes('form-urlencoded')) return;
    if (!isVirtualHost(host, (name) => store.hasBucket(name))) request.headers.host = 'localhost';
  });
}
