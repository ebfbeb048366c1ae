/** JSON lines on standard output (pino), without what could be a secret. */

import { type DestinationStream, type Logger, pino } from 'pino';

const REDACTED = [
  '*.accessKeyId',
  '*.secretAccessKey',
  '*.sessionToken',
  '*.password',
  '*.authorization',
  '*.connectionString',
];

export function createLogger(level: string, version: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: { service: 'tidemill', version, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED, censor: '[redacted]' },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}
