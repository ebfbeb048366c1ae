/**
 * JSON lines on standard output (pino), without what could be a secret, and each of a bounded length:
 * much of what is logged was written by others (ids, keys, errors of services and files).
 */

import { type DestinationStream, type Logger, pino } from 'pino';
import { tellable, withoutSecrets } from '../common/tellable.ts';

const REDACTED = [
  '*.accessKeyId',
  '*.secretAccessKey',
  '*.sessionToken',
  '*.password',
  '*.authorization',
  '*.connectionString',
];

/** Of one field: a stack of a long message is the longest that is of use. */
const MAX_TEXT = 8_192;
const MAX_ENTRIES = 100;
const MAX_DEPTH = 4;

/** A logged value with every text in it tellable, and no longer than is of use. */
function told(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return tellable(value, MAX_TEXT);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth === MAX_DEPTH) return '…';
  if (value instanceof Error)
    return told({ name: value.name, message: value.message, stack: value.stack }, depth);
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((entry) => told(entry, depth + 1));
  return toldFields(value, depth);
}

function toldFields(fields: object, depth = 0): Record<string, unknown> {
  const entries = Object.entries(fields).slice(0, MAX_ENTRIES);
  return Object.fromEntries(entries.map(([name, field]) => [tellable(name, 256), told(field, depth + 1)]));
}

export function createLogger(level: string, version: string, destination?: DestinationStream): Logger {
  const to = destination ?? pino.destination({ fd: 1, sync: true });
  // What a child says with every line is past pino's formatters: so the line as a whole, once more. No
  // pattern takes a quote or a backslash, so what was JSON stays it.
  return pino(
    {
      level,
      base: { service: 'tidemill', version, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: toldFields },
      hooks: {
        logMethod(parts, method) {
          method.apply(
            this,
            parts.map((part) => (typeof part === 'string' ? told(part) : part)) as typeof parts,
          );
        },
      },
      redact: { paths: REDACTED, censor: '[redacted]' },
    },
    { write: (line) => to.write(withoutSecrets(line)) },
  );
}
