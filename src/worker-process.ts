/**
 * The worker as a process: settings, log, signals and exit code around the service. Both ways to start
 * it come through here: the container's entry (main.ts) and `tidemill worker`.
 */

import { existsSync } from 'node:fs';
import { loadEnvFile } from 'node:process';
import { buildInfo } from './build-info.ts';
import { unlessEnded } from './common/clock.ts';
import { messageOf } from './common/errors.ts';
import { readConfig } from './config.ts';
import { createLogger } from './observability/logger.ts';
import { type Service, startService } from './service.ts';

/** How long the process may take to end by itself, once everything is closed. */
const END_MS = 1_000;

/**
 * Resolves once the worker runs; the process then ends by itself, with code 0 after SIGTERM or SIGINT
 * and 1 after a fault. A second signal ends it at once, with 130.
 * @throws ConfigurationError, or what kept the service from starting
 */
export async function runWorker(): Promise<void> {
  if (existsSync('.env')) loadEnvFile('.env');
  const build = buildInfo(process.env);
  const config = readConfig(process.env);
  const logger = createLogger(config.logLevel, build.version);
  const die = (error: unknown, what: string) => {
    logger.fatal({ stack: error instanceof Error ? error.stack : undefined }, `${what}: ${messageOf(error)}`);
    process.exit(1);
  };
  process.on('uncaughtException', (error) => die(error, 'uncaught exception'));
  process.on('unhandledRejection', (error) => die(error, 'unhandled rejection'));

  // A signal during the start must stop what the start brings about, not kill it half way.
  let service: Promise<Service> | undefined;
  const stop = (signal: NodeJS.Signals) => {
    process.once(signal, () => process.exit(130));
    logger.info({ signal }, 'asked to stop');
    const stopped = service?.then((started) => started.stop());
    Promise.resolve(stopped).then(
      () => {
        logger.info('stopped');
        // Not by process.exit(), which in Node 24 can wait for ever where a compile cache is in use
        // (nodejs/node#54918); nothing is left that would keep the process.
        process.exitCode = 0;
        unlessEnded(END_MS, () => {
          logger.warn({ open: process.getActiveResourcesInfo() }, 'something kept the process');
          process.exit(0);
        });
      },
      (error: unknown) => die(error, 'could not stop in order'),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  service = startService(config, build, logger);
  await service;
}
