// Completion as bash does it, and the manual page: both know all commands.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { run } from './main.ts';

async function output(...argv: readonly string[]): Promise<string> {
  const texts: string[] = [];
  const sink = { write: (text: string) => texts.push(text) };
  expect(await run(argv, { stdout: sink, stderr: sink })).toBe(0);
  return texts.join('');
}

/** What bash offers for the last word. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const script = `${await output('completion', 'bash')}
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _fairlead; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8' });
  return printed.split('\n').filter((line) => line !== '');
}

test.each<[readonly string[], readonly string[]]>([
  [['fairlead', 'des'], ['describe']],
  [
    ['fairlead', 'mark', 'i'],
    ['insert', 'import'],
  ],
  [
    ['fairlead', 'list', '--output', ''],
    ['table', 'json', 'yaml'],
  ],
  [['fairlead', 'top', '-s', 'a'], ['active']],
  [['fairlead', 'drain', '--dead'], ['--deadline']],
  [
    ['fairlead', 'set', ''],
    ['weight', '--help'],
  ],
  [['fairlead', 'completion', 'z'], ['zsh']],
  [['fairlead', 'nonsense', 'x'], []],
])('%j', async (words, expected) => {
  expect((await offered(...words)).toSorted()).toEqual(expected.toSorted());
});

test('files are offered where one is expected', async () => {
  expect(await offered('fairlead', 'plan', '/etc/host')).toContain('/etc/hosts');
});

test('zsh takes the same', async () => {
  expect(await output('completion', 'zsh')).toMatch(
    /^#compdef fairlead\n[\s\S]*bashcompinit[\s\S]*complete -o filenames -F _fairlead/,
  );
});

test('the manual page has every command with its options, and no line that roff takes for a request of its own', async () => {
  const page = await output('manual');
  expect(page).toContain('\\fBfairlead drain\\fR \\fISERVICE\\fR \\fIDESTINATION\\fR [\\fIOPTION\\fR...]');
  expect(page).toContain('\\fB\\-\\-deadline <duration>\\fR');
  const requests = page.split('\n').flatMap((line) => /^\.(\w*)/.exec(line)?.[1] ?? []);
  expect(new Set(requests)).toEqual(new Set(['TH', 'SH', 'B', 'I', 'TP', 'RS', 'RE', 'BR', 'br']));
});
