import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { tarOf } from '../support/image-fixtures.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/completion')
const wolffia = new CommandLine()

/** What a program prints that has `wolffia` on its PATH. */
async function inShell(shell: string, ...words: readonly string[]): Promise<string> {
  const folder = join(wolffia.folder, 'bin')
  mkdirSync(folder, { recursive: true })
  try {
    symlinkSync(resolve('dist/cli.cjs'), join(folder, 'wolffia'))
  } catch {}
  const path = [folder, process.execPath.replace(/\/[^/]*$/, ''), process.env.PATH].join(delimiter)
  const env = { PATH: path, HOME: wolffia.folder, WOLFFIA_HOME: wolffia.home, LANG: 'C.UTF-8', TERM: 'xterm' }
  const { stdout, stderr } = await promisify(execFile)(shell, words, { env, cwd: wolffia.folder })
  assert.is(stderr, '')
  return stdout
}

test('there are images to complete', async () => {
  writeFileSync(join(wolffia.folder, 'small.tar'), await tarOf({ file: 'x' }))
  await wolffia.output('import', 'small.tar', 'small:1')
})

/** Has bash complete a line as readline would: its words broken at blanks, = and :, the cursor at the end. */
const BASH = `
source <(wolffia completion bash)
complete_line() {
  COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDS=() COMP_WORDBREAKS=$' \\t\\n"><=;|&(:'
  local rest=$1
  while [[ $rest =~ ^\\ *([=:]+|[^\\ =:]+)(.*)$ ]]; do COMP_WORDS+=("\${BASH_REMATCH[1]}") rest=\${BASH_REMATCH[2]}; done
  [[ $1 == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
  _wolffia
  echo "\${COMPREPLY[*]}"
}
`

test.needs(program('bash'))('bash completes commands, flags, images and what stands behind = and :', async () => {
  const lines = [
    'wolffia ins',
    'wolffia ps --no',
    'wolffia rmi ',
    'wolffia rmi small:',
    'wolffia run --runtime=w',
    'wolffia ps -f na',
    'wolffia run --rm --name x sm',
  ]
  const output = await inShell('bash', '-c', `${BASH}\n${lines.map((line) => `complete_line '${line}'`).join('\n')}`)
  assert.equal(output.split('\n'), ['inspect', '--no-trunc', 'small:1', '1', 'wasm', 'name=', 'small:1', ''])
  assert.match(await inShell('bash', '-c', 'source <(wolffia completion bash); complete -p wolffia'), /^complete -F _wolffia wolffia\n$/)
})

test.needs(program('zsh'))('zsh completes the same', async () => {
  const script = `
    autoload -Uz compinit && compinit -u -d "$HOME/dump"
    source <(wolffia completion zsh)
    _describe() { print -r -- "$2: \${(P)2}"; }
    _files() { print files; }
    complete_line() { words=("$@") CURRENT=$# PREFIX=\${@[-1]}; _wolffia; }
    complete_line wolffia ins
    complete_line wolffia rmi sm
    complete_line wolffia ps -f na
    complete_line wolffia load -i ''
    print -r -- $_comps[wolffia]`
  assert.is(
    await inShell('zsh', '-f', '-c', script),
    'whole: inspect:Show images and containers in full\nwhole: small\\:1\nopen: name=\nfiles\n_wolffia\n',
  )
})

test.needs(program('fish'))('fish completes the same', async () => {
  const complete = async (line: string) =>
    (await inShell('fish', '--no-config', '-c', `wolffia completion fish | source; complete -C '${line}'`)).split('\n').slice(0, -1)
  assert.equal(await complete('wolffia ins'), ['inspect\tShow images and containers in full'])
  assert.equal(await complete('wolffia rmi '), ['small:1'])
  assert.equal(await complete('wolffia run --rm --runtime '), ['auto', 'native', 'wasm'])
  assert.ok((await complete('wolffia load -i sm')).some((word) => word.startsWith('small.tar')))
})

test('a shell without a script is named, with those that have one', async () => {
  const { code, stderr } = await wolffia.run(['completion', 'tcsh'])
  assert.equal([code, stderr], [1, 'wolffia: no completion for the shell "tcsh"\nThere are bash, zsh and fish.\n'])
})

test('nothing is left', () => wolffia.end())

test.run()
