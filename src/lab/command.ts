// Runs a program to its end, in a network namespace if one is named, and gives back what it said.
import { spawn } from 'node:child_process';
import { FairleadError } from '../model/error.ts';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly namespace?: string;
  readonly input?: string;
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 20_000;

/** A status other than 0 is an error that quotes the program. */
export async function run(
  command: readonly string[],
  options: CommandOptions = {},
  signal?: AbortSignal,
): Promise<Outcome> {
  const outcome = await attempt(command, options, signal);
  if (outcome.status === 0) return outcome;
  const said = (outcome.stderr || outcome.stdout).trim() || 'nothing';
  throw new FairleadError('kernel', `\`${command.join(' ')}\` ended with status ${outcome.status} and said: ${said}`);
}

/** Any status is a result. Rejects when the program can't be started, takes too long, or `signal` says to stop. */
export function attempt(
  command: readonly string[],
  options: CommandOptions = {},
  signal?: AbortSignal,
): Promise<Outcome> {
  const [program = '', ...rest] = inNamespace(command, options.namespace);
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    // A session of its own: a terminal's Ctrl-C reaches the laboratory alone, which then ends its children in order.
    const child = spawn(program, rest, { stdio: 'pipe', detached: true });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    // A program that ends without reading its input is judged by its status.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');

    let failure: unknown;
    const stop = (reason: unknown): void => {
      failure = reason;
      child.kill('SIGKILL');
    };
    const onAbort = (): void => stop(signal?.reason);
    const timer = setTimeout(() => {
      stop(new FairleadError('kernel', `\`${command.join(' ')}\` did not end within ${timeoutMs} ms`));
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    child.on('error', (cause) => {
      settle();
      reject(new FairleadError('kernel', `${program} can't be started: ${cause.message}`, { cause }));
    });
    child.on('close', (status) => {
      settle();
      if (failure === undefined) resolve({ status: status ?? 1, ...output });
      else reject(failure);
    });
  });
}

export function inNamespace(command: readonly string[], namespace: string | undefined): string[] {
  return namespace === undefined ? [...command] : ['ip', 'netns', 'exec', namespace, ...command];
}
