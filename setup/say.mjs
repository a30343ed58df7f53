// What setup tells a person: always on stderr, for stdout belongs to the job.

/** Something to show a person without a stack trace. */
export class SetupError extends Error {}

/** @param {string} text */
export function say(text) {
  process.stderr.write(`fairlead: ${text}\n`);
}
