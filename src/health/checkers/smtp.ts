// Does it greet, and greet back, as a mail server? RFC 5321.
import type { SmtpCheck, Target } from '../check.ts';
import { withConnection } from '../connection.ts';
import { onLines } from '../lines.ts';
import { down, type Finding, up } from '../verdict.ts';

const steps = [
  { name: 'its banner', expected: '220' },
  { name: 'its answer to HELO', expected: '250' },
];

export function checkSmtp(target: Target, { helo }: SmtpCheck, signal: AbortSignal): Promise<Finding> {
  return withConnection(target, signal, (socket, settle) => {
    let at = 0;
    onLines(socket, (line) => {
      const step = steps[at];
      if (/^\d{3}-/.test(line) || step === undefined) return; // more of this reply follows
      if (!line.startsWith(step.expected)) {
        settle(down(`${step.name} is ${JSON.stringify(line.slice(0, 80))}, expected ${step.expected}`));
        return;
      }
      at++;
      if (at < steps.length) socket.write(`HELO ${helo}\r\n`);
      else socket.write('QUIT\r\n', () => settle(up(line.slice(0, 80))));
    });
  });
}
