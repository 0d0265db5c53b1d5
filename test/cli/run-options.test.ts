import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { COMMANDS } from '../../src/cli/command.js'
import { durationOf } from '../../src/cli/duration.js'
import { addNotBuilt, NOT_BUILT_COMMANDS, NOT_BUILT_RUN_FLAGS } from '../../src/cli/not-built.js'
import { addRunFlags, createOptions, rewriteValues } from '../../src/cli/run-options.js'
import type { CreateOptions } from '../../src/container/options.js'
import { EngineError } from '../../src/errors.js'
import { withFolder } from '../support/image-fixtures.js'
import { suite } from '../support/suite.js'

const test = suite('cli/run-options')

/** Every flag of `docker run` (28.2). */
const DOCKER_RUN_FLAGS = `add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile
  cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach detach-keys device
  device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops disable-content-trust dns dns-option dns-search
  domainname entrypoint env env-file expose gpus group-add health-cmd health-interval health-retries health-start-interval
  health-start-period health-timeout hostname init interactive io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory label
  label-file link link-local-ip log-driver log-opt mac-address memory memory-reservation memory-swap memory-swappiness mount name network
  network-alias no-healthcheck oom-kill-disable oom-score-adj pid pids-limit platform privileged publish publish-all pull quiet read-only
  restart rm runtime security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs tty ulimit use-api-socket user userns
  uts volume volume-driver volumes-from workdir`.split(/\s+/)

/** Commands of docker (28.2), swarm's among them. */
const DOCKER_COMMANDS = `attach build builder checkpoint commit compose config container context cp create diff events exec export history
  image images import info inspect kill load login logout logs manifest network node pause plugin port ps pull push rename restart rm rmi run
  save search secret service stack start stats stop swarm system tag top trust unpause update version volume wait`.split(/\s+/)

function parserOfRun(): Command {
  const parser = new Command()
    .exitOverride()
    .allowExcessArguments()
    .passThroughOptions()
    .configureOutput({ writeErr: () => {} })
  addRunFlags(parser)
  addNotBuilt(parser, NOT_BUILT_RUN_FLAGS)
  return parser
}

function parse(...words: readonly string[]): CreateOptions {
  const parser = parserOfRun().parse(rewriteValues(words), { from: 'user' })
  return createOptions(words.slice(words.length - parser.args.length), parser.opts(), { FROM_CALLER: 'yes' })
}

function refusal(...words: readonly string[]): EngineError {
  try {
    parse(...words)
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  throw new Error(`${words.join(' ')} was not refused`)
}

test('every flag of docker run is built or fails by its name with the way out', () => {
  const options = parserOfRun().options
  for (const flag of DOCKER_RUN_FLAGS)
    assert.ok(
      options.some((option) => option.long === `--${flag}`),
      flag,
    )
  for (const [flags, wayOut] of NOT_BUILT_RUN_FLAGS) {
    const flag = /--[a-z0-9-]+/.exec(flags)?.[0] ?? ''
    const error = refusal(flag, ...(flags.includes('<') ? ['x'] : []), 'image')
    assert.equal([error.code, error.message, error.hint], ['NOT_BUILT', `${flag} is not built yet`, wayOut])
  }
})

test('every command of docker is built or known by its name', () => {
  for (const command of DOCKER_COMMANDS)
    assert.is.not(Object.hasOwn(COMMANDS, command), Object.hasOwn(NOT_BUILT_COMMANDS, command), `${command} is either built or not`)
})

test('flags end at the image: what follows is the command, whatever it looks like', () => {
  const { image, command, autoRemove, tty } = parse('--rm', 'debian', '-t', '--publish', '--receipt=x', '--', 'y')
  assert.equal([image, command, autoRemove, tty], ['debian', ['-t', '--publish', '--receipt=x', '--', 'y'], true, false])
})

test('short flags are joined as docker joins them', () => {
  const { tty, openStdin, user } = parse('-itu', '1', 'debian')
  assert.equal([tty, openStdin, user], [true, true, '1'])
})

test('variables come from flags, files and the caller, the flag last', () =>
  withFolder(async (folder) => {
    const file = join(folder, 'env')
    writeFileSync(file, '\ufeff# comment\nA=file\nB=quoted "as it is"\r\nFROM_CALLER\n\n  C= indented\nUNSET\n')
    assert.equal(parse('--env-file', file, '-e', 'A=flag', '-e', 'EMPTY=', '-e', 'UNSET', 'x').env, {
      A: 'flag',
      B: 'quoted "as it is"',
      FROM_CALLER: 'yes',
      C: ' indented',
      EMPTY: '',
    })
    writeFileSync(file, 'a b=c\n')
    assert.match(refusal('--env-file', file, 'x').message, /"a b" contains whitespace/)
    assert.match(refusal('--env-file', join(folder, 'none'), 'x').message, /cannot read --env-file .*none/)
    assert.match(refusal('-e', '=x', 'x').message, /invalid argument "=x" for "-e, --env"/)
  }))

test('limits are read with their units', () => {
  assert.equal(parse('-m', '64m', '--pids-limit', '9', '--timeout', '1.5s', '--storage-opt', 'size=1g', 'x').limits, {
    memoryBytes: 64 * 1024 ** 2,
    pids: 9,
    timeoutMs: 1500,
    diskBytes: 1024 ** 3,
  })
  assert.equal(
    ['10', '500ms', '2m', '1h', '1h30m', '1m0.5s', '1.5h', '1ms500us', '596h'].map((text) => durationOf(text, '')),
    [10_000, 500, 120_000, 3_600_000, 5_400_000, 60_500, 5_400_000, 2, 596 * 3_600_000],
  )
  for (const words of [
    ['-m', '5x'],
    ['-m', ''],
    ['-m', '1k'],
    ['--pids-limit', '99999999999999'],
    ['--timeout', '9999999h'],
    ['--timeout', '1h30'],
    ['--timeout', '100us'],
    ['--pids-limit', 'abc'],
    ['--timeout', '0'],
    ['--timeout', '-1s'],
    ['--storage-opt', 'x=1'],
  ])
    assert.match(refusal(...words, 'x').message, /^invalid argument "/, words.join(' '))
  assert.is(refusal('--pids-limit', '-1', 'x').code, 'NOT_BUILT')
})

test('networks and walls that there are not are refused by name', () => {
  assert.is(parse('--network', 'host', 'x').network, 'host')
  assert.is(parse('--net', 'none', 'x').network, 'none')
  assert.equal([refusal('--network', 'bridge', 'x').code, refusal('--network', 'container:y', 'x').code], ['NOT_BUILT', 'NOT_BUILT'])
  assert.is(refusal('--network', 'foo', 'x').message, 'there is no network foo')
  assert.match(refusal('--runtime', 'runc', 'x').hint ?? '', /native and wasm/)
})

test('an empty entrypoint is none, and a given one is one word', () => {
  assert.equal(parse('--entrypoint', '', 'x').entrypoint, [])
  assert.equal(parse('--entrypoint', '/bin/a b', 'x', 'c').entrypoint, ['/bin/a b'])
  assert.is(parse('x').entrypoint, undefined)
})

test('what docker takes for nothing is nothing', () => {
  const plain = parse('x')
  for (const flag of ['--name', '-w', '-h', '--network', '-u', '--platform', '--runtime']) assert.equal(parse(flag, '', 'x'), plain, flag)
  assert.equal(parse('--pull', '', 'x'), plain)
  assert.equal(parse('-m', '0', 'x'), plain)
  assert.equal(parse('--init', '-q', 'x'), plain)
})

test('a variable may be called __proto__', () => {
  assert.equal(Object.entries(parse('-e', '__proto__=x', 'x').env ?? {}), [['__proto__', 'x']])
})

test('labels and tmpfs mounts are read as docker reads them', () => {
  const { labels, tmpfs } = parse('-l', 'a=b=c', '-l', 'd', '--tmpfs', '/run:size=1m,ro', '--tmpfs', '/tmp', 'x')
  assert.equal(
    [labels, tmpfs],
    [
      { a: 'b=c', d: '' },
      { '/run': 'size=1m,ro', '/tmp': '' },
    ],
  )
  assert.match(refusal('-l', '=b', 'x').message, /a label needs a name/)
  assert.match(refusal('--tmpfs', '/a', '--tmpfs', '/a:ro', 'x').message, /mounted twice/)
})

test.run()
