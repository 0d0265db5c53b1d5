/** `doctor` on hosts that lack something, each made so by namespaces of this test's own: it names the step and the least that mends it. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { NATIVE, program } from '../support/requirements.js'
import { type Requirement, suite } from '../support/suite.js'

const test = suite('e2e/doctor')
const wolffia = new CommandLine()
const nested = test.needs(NATIVE, program('unshare'))

interface Found {
  readonly findings: readonly { readonly name: string; readonly ok: boolean; readonly why: string; readonly fix: string | null }[]
  readonly runtimes: Readonly<Record<string, string | null>>
}

interface Lack {
  /** What unshare(1) is told, and the shell in it before doctor. */
  readonly unshare: string
  readonly before: string
  readonly finding: string
  readonly why: RegExp
  readonly fix: RegExp
  /** The native wall stands all the same. */
  readonly stands?: boolean
  /** Findings that would only be the same again, and are not tried. */
  readonly untried?: readonly string[]
  readonly env?: string
  readonly needs?: readonly Requirement[]
}

const TUN_FOLDER: Requirement = { name: 'tun', missing: async () => (existsSync('/dev/net') ? null : 'there is no /dev/net') }

const bound = (name: string) => ({ unshare: '-Ur', before: `echo 0 >/proc/sys/user/max_${name}_namespaces` })

const LACKS: Readonly<Record<string, Lack>> = {
  'no user namespaces': {
    ...bound('user'),
    finding: 'user namespace',
    why: /clone3 failed with ENOSPC/,
    fix: /^as root: sysctl -w user\.max_user_namespaces=15000$/,
    untried: ['mount namespace', 'seccomp'],
  },
  'no mount namespaces': {
    ...bound('mnt'),
    finding: 'mount namespace',
    why: /ENOSPC/,
    fix: /^as root: sysctl -w user\.max_mnt_namespaces=15000$/,
    untried: ['overlay on disk', 'devpts', 'seccomp'],
  },
  'no network namespaces': {
    ...bound('net'),
    finding: 'net namespace',
    why: /unshare failed with ENOSPC/,
    fix: /^as root: sysctl -w user\.max_net_namespaces=15000$/,
  },
  'no newuidmap': {
    unshare: '-m --map-current-user --keep-caps',
    before: 'for name in newuidmap newgidmap; do mount --bind /dev/null "$(command -v $name)"; done',
    finding: 'id range',
    why: /^newuidmap or newgidmap is not installed$/,
    fix: /uidmap|shadow/,
    stands: true,
  },
  'no overlay on the file system of the home': {
    unshare: '-Urm',
    before: 'cd "$PWD/overlay" && mount -t overlay -o userxattr,lowerdir=lower,upperdir=upper,workdir=work none home && cd ..',
    env: 'WOLFFIA_HOME="$PWD/overlay/home"',
    finding: 'overlay on disk',
    why: /^overlay|overlay.* failed with E/,
    fix: /^put WOLFFIA_HOME on a local file system such as ext4, xfs or btrfs$/,
  },
  'no tun device': {
    unshare: '-Urm',
    before: 'mount -t tmpfs none /dev/net',
    needs: [TUN_FOLDER],
    finding: 'tun',
    why: /exercise-tap.*ENOENT/,
    fix: /^as root: modprobe tun$/,
    stands: true,
  },
  'a tun device that is closed to users': {
    unshare: '-m --map-current-user --keep-caps',
    // Its owner is none of the namespace's.
    before: 'mount -t tmpfs none /dev/net && touch /dev/net/tun && mount --bind /etc/shadow /dev/net/tun',
    needs: [TUN_FOLDER],
    finding: 'tun',
    why: /exercise-tap.*EACCES/,
    fix: /^as root: chmod 0666 \/dev\/net\/tun$/,
    stands: true,
  },
  'a read-only home': {
    unshare: '-Urm',
    before: 'mount -t tmpfs -o ro none "$PWD/read-only"',
    env: 'WOLFFIA_HOME="$PWD/read-only"',
    finding: 'store',
    why: /EROFS: read-only file system/,
    fix: /WOLFFIA_HOME/,
    stands: true,
  },
}

for (const [name, { unshare, before, finding, why, fix, stands = false, untried = [], env = '', needs = [] }] of Object.entries(LACKS))
  test.needs(
    NATIVE,
    program('unshare'),
    ...needs,
  )(`${name}: the step and the least that mends it, in words and as JSON`, async () => {
    for (const folder of ['read-only', ...['lower', 'upper', 'work', 'home'].map((part) => `overlay/${part}`)])
      mkdirSync(join(wolffia.folder, folder), { recursive: true })
    const ask = (words: string) => wolffia.inShell(`unshare ${unshare} sh -c '${before} || exit 9; ${env} exec "$wolffia" doctor ${words}'`)
    const { code, stdout, stderr } = await ask('--json')
    assert.equal([code, stderr], [finding === 'store' ? 1 : 0, ''], 'the Wasm wall stands wherever there is a store')
    const { findings, runtimes } = JSON.parse(stdout) as Found
    const found = findings.find(({ name }) => name === finding)
    assert.is(found?.ok, false)
    assert.match(found?.why ?? '', why)
    assert.match(found?.fix ?? '', fix)
    assert.equal([runtimes.native === null, runtimes.wasm], [stands, null], JSON.stringify(runtimes))
    assert.equal(
      findings.filter(({ name }) => untried.includes(name)),
      [],
    )
    const words = (await ask('')).stdout
    assert.ok(words.includes(`${(found?.name ?? '').padEnd(20)} ${found?.why}`), words)
    assert.ok(words.includes(`to mend it: ${found?.fix}`), words)
  })

nested('a TMPDIR that is noexec, or not there, is nothing that a wall lacks', async () => {
  for (const line of [
    'unshare -Urm sh -c \'mount -t tmpfs -o noexec none /tmp && TMPDIR=/tmp exec "$wolffia" doctor --json\'',
    'TMPDIR=/nowhere/at/all "$wolffia" doctor --json',
  ]) {
    const { code, stdout, stderr } = await wolffia.inShell(line)
    assert.is(code, 0, stderr)
    assert.equal((JSON.parse(stdout) as Found).runtimes, { native: null, wasm: null })
  }
})

test('nothing is left', () => wolffia.end())

test.run()
