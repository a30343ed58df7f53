// Does it greet, and greet back, as a mail server? RFC 5321, and RFC 3207 for TLS.
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { SmtpChecker } from '../../model/check.ts';
import { withConnection } from '../connection.ts';
import { onLines } from '../lines.ts';
import { explain } from '../reason.ts';
import type { Target } from '../target.ts';
import { tlsOptions } from '../tls.ts';
import { down, type Finding, up } from '../verdict.ts';

/** What is said, and what its answer must begin with. */
interface Step {
  readonly say: string | undefined;
  readonly name: string;
  readonly expected: string;
}

export function checkSmtp(target: Target, { helo, tls }: SmtpChecker, signal: AbortSignal): Promise<Finding> {
  const banner: Step = { say: undefined, name: 'its banner', expected: '220' };
  const greet = (word: string): Step => ({ say: `${word} ${helo}`, name: `its answer to ${word}`, expected: '250' });
  return withConnection(target, signal, async (socket, settle) => {
    const wellIf = (answer: string | undefined): void => {
      if (answer !== undefined) settle(up(answer.slice(0, 80)));
    };
    if (tls === undefined) {
      wellIf(await talk(socket, [banner, greet('HELO')], settle));
      return;
    }
    const start: Step = { say: 'STARTTLS', name: 'its answer to STARTTLS', expected: '220' };
    if ((await talk(socket, [banner, greet('EHLO'), start], settle)) === undefined) return;
    socket.removeAllListeners('data');
    const secured = connectTls({ ...tlsOptions(tls, undefined), socket });
    secured.on('error', (error) => settle(down(`TLS: ${explain(error)}`)));
    secured.on('secureConnect', () => void talk(secured, [greet('EHLO')], settle).then(wellIf));
  });
}

/** The last answer; undefined when it has settled that one is wrong. */
function talk(socket: Socket, steps: readonly Step[], settle: (finding: Finding) => void): Promise<string | undefined> {
  return new Promise((resolve) => {
    let at = 0;
    const say = (): void => {
      const words = steps[at]?.say;
      if (words !== undefined) socket.write(`${words}\r\n`);
    };
    onLines(socket, (line) => {
      const step = steps[at];
      if (/^\d{3}-/.test(line) || step === undefined) return; // more of this reply follows
      if (!line.startsWith(step.expected)) {
        settle(down(`${step.name} is ${JSON.stringify(line.slice(0, 80))}, expected ${step.expected}`));
        resolve(undefined);
        return;
      }
      at++;
      if (at < steps.length) say();
      else resolve(line);
    });
    say();
  });
}
