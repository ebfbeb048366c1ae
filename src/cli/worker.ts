/** `tidemill worker`: the worker itself, the same as the container's `node dist/main.js`. */

import { type CommandModule, prose } from './command.ts';

const ABOUT = prose(`Takes requests from the queue and carries them out, until SIGTERM or SIGINT.
Settings come from the environment and from .env in the working directory; all of
them are in .env.example, and \`tidemill validate .env\` checks them.`);

export const addWorker: CommandModule = (program) => {
  program
    .command('worker')
    .summary('run the worker')
    .description(ABOUT)
    .action(async () => {
      const { runWorker } = await import('../worker-process.ts');
      await runWorker();
    });
};
