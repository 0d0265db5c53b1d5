import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { findCommand } from '../../src/cli/find-command.js'
import { addNotBuilt, notBuiltFlags, wayOutOf } from '../../src/cli/not-built.js'
import { suite } from '../support/suite.js'
import { DOCKER_COMMANDS, DOCKER_FLAGS } from './docker-flags.js'

const test = suite('cli/docker-flags')

/** A command's parser, with what is not built in it. */
async function parserOf(words: string): Promise<Command> {
  const found = findCommand(words.split(' '))
  if (found.kind !== 'command') throw new Error(`${words} is ${found.kind}`)
  const parser = new Command().exitOverride()
  if (/^(run|create)$/.test(words)) parser.helpOption('--help')
  ;(await found.entry.load()).command.configure(parser)
  addNotBuilt(parser, notBuiltFlags(found.name))
  return parser
}

for (const [command, flags] of DOCKER_FLAGS) {
  test(`every flag of docker ${command} works, or fails by its name with the reason`, async () => {
    const { options } = await parserOf(command)
    const known = new Set(options.flatMap(({ short, long, negate }) => [short, long, ...(negate ? [] : [])]))
    const unknown = flags.filter((flag) => flag !== '--help' && !known.has(flag))
    assert.equal(unknown, [])
  })

  test(`the flags of docker ${command} that are not built say what to do instead`, async () => {
    for (const [notation, wayOut] of notBuiltFlags(command)) {
      const flag = /--[a-z0-9-]+/.exec(notation)?.[0] ?? ''
      assert.ok(flags.includes(flag), `${flag} is none of docker's`)
      assert.match(wayOut, /\.$|:|wolffia|There is/)
      const parser = await parserOf(command)
      const words = [flag, ...(notation.includes('<') ? ['x'] : [])]
      assert.throws(
        () => parser.parse(words, { from: 'user' }),
        (error: Error) => error.message === `${flag} is not built yet`,
      )
    }
  })
}

test('every command of docker is built, its flags among those above, or fails by its name with the way out', () => {
  for (const words of DOCKER_COMMANDS) {
    const { kind } = findCommand([words])
    if (kind === 'command') assert.ok(DOCKER_FLAGS.has(words), `no flags of ${words} are listed`)
    else assert.ok(kind === 'group' || wayOutOf(words) !== undefined, `${words} is not known`)
  }
})

test('a command in the group container has the flags that it has alone', () => {
  for (const command of DOCKER_FLAGS.keys())
    if (!command.startsWith('container '))
      assert.equal(notBuiltFlags(command), notBuiltFlags(`container ${command === 'ps' ? 'ls' : command}`))
})

test.run()
