// As much of a shell as the recorded command lines need: lists, pipes, two redirections, printf, cat and diff.

/** Runs ipvsadm or one of its two scripts; resolves to what it printed and its exit status. */
export type Run = (program: string, argv: readonly string[], stdin: string, isRoot: boolean) => Promise<Outcome>;

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

export interface Shell {
  run(line: string): Promise<Outcome>;
}

export function openShell(ipvsadm: Run): Shell {
  const files = new Map<string, string>([['/dev/null', '']]);

  async function run(line: string): Promise<Outcome> {
    let all: Outcome = { stdout: '', stderr: '', status: 0 };
    for (const part of splitOutsideQuotes(line, ';')) {
      const [pipeline = '', then] = part.split(' && ');
      const one = await runPipeline(pipeline);
      const more = then !== undefined && one.status === 0 ? await runPipeline(then) : undefined;
      all = {
        stdout: all.stdout + one.stdout + (more?.stdout ?? ''),
        stderr: all.stderr + one.stderr + (more?.stderr ?? ''),
        status: more?.status ?? one.status,
      };
    }
    return all;
  }

  async function runPipeline(line: string): Promise<Outcome> {
    let input = '';
    let stderr = '';
    let status = 0;
    for (const command of splitOutsideQuotes(line, '|')) {
      const outcome = await runCommand(command.trim(), input);
      input = outcome.stdout;
      stderr += outcome.stderr;
      status = outcome.status;
    }
    return { stdout: input, stderr, status };
  }

  async function runCommand(command: string, piped: string): Promise<Outcome> {
    const [, from] = / < (\S+)/.exec(command) ?? [];
    const [, to] = / > (\S+)/.exec(command) ?? [];
    const words = command.replace(/ [<>] \S+/g, '');
    const outcome = await runProgram(words, from === undefined ? piped : (files.get(from) ?? ''));
    if (to === undefined) return outcome;
    files.set(to, outcome.stdout);
    return { ...outcome, stdout: '' };
  }

  async function runProgram(words: string, stdin: string): Promise<Outcome> {
    const printed = /^printf (?:-- )?"(.*)"$/s.exec(words)?.[1];
    if (printed !== undefined) return ok(printed.replaceAll('\\"', '"').replaceAll('\\n', '\n'));
    const argv = words
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word) => word.replaceAll("''", ''));
    const [program = '', argument = ''] = argv;
    if (program === 'echo') return ok(`${argument}\n`);
    if (program === 'cat') return ok(files.get(argument) ?? '');
    if (program === 'diff') return { ...ok(''), status: stdin === files.get(argv[2] ?? '') ? 0 : 1 };
    if (program !== 'setpriv') return ipvsadm(program, argv.slice(1), stdin, true);
    return ipvsadm('ipvsadm', argv.slice(argv.indexOf('ipvsadm') + 1), stdin, false);
  }

  return { run };
}

function ok(stdout: string): Outcome {
  return { stdout, stderr: '', status: 0 };
}

function splitOutsideQuotes(line: string, separator: string): string[] {
  const parts = [''];
  let isQuoted = false;
  for (const [at, letter] of Array.from(line).entries()) {
    if (letter === '"' && line[at - 1] !== '\\') isQuoted = !isQuoted;
    if (letter === separator && !isQuoted) parts.push('');
    else parts.push(`${parts.pop()}${letter}`);
  }
  return parts;
}
