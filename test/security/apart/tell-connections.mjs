// Preloaded into a worker process and its threads (NODE_OPTIONS=--import): writes down each address that
// a socket is opened to, and each name that is looked up, in the file named by TOLD_CONNECTIONS.

import dns from 'node:dns';
import { appendFileSync } from 'node:fs';
import { Socket } from 'node:net';

const tell = (what) => appendFileSync(process.env.TOLD_CONNECTIONS, `${what}\n`);

const connect = Socket.prototype.connect;
Socket.prototype.connect = function tellingConnect(...args) {
  const [first, second] = Array.isArray(args[0]) ? args[0] : args;
  const { host, port, path } = typeof first === 'object' ? first : { host: second, port: first };
  tell(path ?? `${host ?? 'localhost'}:${port}`);
  return connect.apply(this, args);
};

const lookup = dns.lookup;
dns.lookup = function tellingLookup(name, ...rest) {
  tell(`lookup ${name}`);
  return lookup.call(dns, name, ...rest);
};
