import * as assert from 'uvu/assert'
import { candidatesFor } from '../../src/cli/candidates.js'
import { suite } from '../support/suite.js'

const test = suite('cli/completion')

const NAMES = { containers: async () => ['web', 'db'], images: async () => ['debian:12', 'busybox:latest'], volumes: async () => ['data'] }

/** What is offered for the last word of a line; with `<files>` where files would do. */
async function offered(line: string): Promise<string> {
  const { offered, files } = await candidatesFor(line.split(' ').slice(1), NAMES)
  return [...offered.map(({ text }) => text), ...(files ? ['<files>'] : [])].join(' ')
}

/** The line as it is typed, and what is offered. */
const LINES: readonly (readonly [about: string, line: string, expected: string])[] = [
  ['a command', 'wolffia in', 'inspect info'],
  ['a command after a global flag', 'wolffia -D ve', 'version'],
  ['no hidden command', 'wolffia _', ''],
  ['a global flag', 'wolffia --', '--debug --help --version'],
  ['a command whose help is wanted', 'wolffia help im', 'images import image'],
  ['nothing for what is no command', 'wolffia nosuch ', ''],
  ['flags of a command', 'wolffia ps --l', '--last --latest'],
  ['flags of every command', 'wolffia tag --', '--debug --help'],
  ['no hidden flag', 'wolffia run --receipt', '--receipt'],
  ['containers', 'wolffia rm ', 'web db'],
  ['containers that are not there yet', 'wolffia rm -f web ', 'db'],
  ['images', 'wolffia rmi deb', 'debian:12'],
  ['containers and images', 'wolffia inspect ', 'web db debian:12 busybox:latest'],
  ['an image to run', 'wolffia run --rm -it ', 'debian:12 busybox:latest'],
  ['the value of a long flag is no image', 'wolffia run --name ', ''],
  ['and what stands behind it is', 'wolffia run --name x bus', 'busybox:latest'],
  ['the value of a short flag', 'wolffia run -e A=1 bus', 'busybox:latest'],
  ['a short flag with its value', 'wolffia run -eA=1 bus', 'busybox:latest'],
  ['several short flags of which the last has a value', 'wolffia run -itv /a:/b bus', 'busybox:latest'],
  ['the guest has its own flags', 'wolffia run debian:12 ls --r', '<files>'],
  ['the words of a flag', 'wolffia run --runtime ', 'auto native wasm'],
  ['the words of a flag with =', 'wolffia run --runtime=n', '--runtime=native'],
  ['nothing after a whole second --', 'wolffia run -- --r', ''],
  ['an image after --', 'wolffia rmi -- deb', 'debian:12'],
  ['a file', 'wolffia load -i ', '<files>'],
  ['a file as an argument', 'wolffia import ', '<files>'],
  ['a folder for a mount', 'wolffia run -v ', '<files>'],
  ['formats', 'wolffia ps --format ', 'json table'],
  ['filters of ps', 'wolffia ps -f s', 'status= since='],
  ['filters of images', 'wolffia images --filter=d', '--filter=dangling='],
  ['no argument too many', 'wolffia tag a b ', ''],
  ['shells', 'wolffia completion ', 'bash zsh fish'],
]

for (const [about, line, expected] of LINES) test(`${about}: \`${line}\``, async () => assert.is(await offered(line), expected))

test('what is offered is said in a few words', async () => {
  const { offered } = await candidatesFor(['ps'], NAMES)
  assert.equal(offered, [{ text: 'ps', about: 'List containers' }])
})

test.run()
