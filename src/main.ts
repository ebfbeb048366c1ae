/** The container's entry: configuration, wiring, signals, exit code. Nothing else starts or exits. */

import { existsSync } from 'node:fs';
import { loadEnvFile } from 'node:process';
import { buildInfo } from './build-info.ts';
import { messageOf } from './common/errors.ts';
import { ConfigurationError, readConfig } from './config.ts';
import { createLogger } from './observability/logger.ts';
import { startService } from './service.ts';

/** Runs until SIGTERM or SIGINT; a second signal ends at once. The exit code says how it went. */
async function main(): Promise<void> {
  if (existsSync('.env')) loadEnvFile('.env');
  const build = buildInfo(process.env);
  const logger = createLogger(process.env.LOG_LEVEL || 'info', build.version);
  const die = (error: unknown, what: string) => {
    logger.fatal({ stack: error instanceof Error ? error.stack : undefined }, `${what}: ${messageOf(error)}`);
    process.exit(1);
  };
  process.on('uncaughtException', (error) => die(error, 'uncaught exception'));
  process.on('unhandledRejection', (error) => die(error, 'unhandled rejection'));

  const service = await startService(readConfig(process.env), build, logger);
  const stop = (signal: NodeJS.Signals) => {
    process.once(signal, () => process.exit(130));
    logger.info({ signal }, 'asked to stop');
    service.stop().then(
      () => {
        logger.info('stopped');
        process.exit(0);
      },
      (error: unknown) => die(error, 'could not stop in order'),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

main().catch((error: unknown) => {
  if (error instanceof ConfigurationError) process.stderr.write(`${error.message}\n`);
  else process.stderr.write(`tidemill could not start: ${messageOf(error)}\n`);
  process.exit(1);
});
