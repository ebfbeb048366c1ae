/**
 * Objects and parts beyond fauxqs's body limit of 11 MiB, up to S3's own of 5 GiB for one put: the
 * body is collected here, before Fastify would refuse it, and handed to the handler as Fastify does.
 */

import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { FastifyRequest, FauxqsApp } from './fauxqs.ts';

/** Bodies up to this size, in bytes, take Fastify's own way. */
const ORDINARY = 8 * 1024 * 1024;

export function installLargeBodies(app: FauxqsApp): void {
  const bodies = new WeakMap<FastifyRequest, Buffer>();
  app.addHook('preParsing', async (request, _reply, payload) => {
    const length = Number(request.headers['content-length'] ?? 0);
    if (request.method !== 'PUT' || length <= ORDINARY) return payload;
    bodies.set(request, await buffer(payload));
    delete request.headers['content-length'];
    return Readable.from([]);
  });
  app.addHook('preHandler', (request, _reply, done) => {
    const body = bodies.get(request);
    if (body !== undefined) request.body = body;
    done();
  });
}
