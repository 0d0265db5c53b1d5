/**
 * A real Debian, made by debootstrap: imported from its tar, and loaded from what skopeo saved.
 * `WOLFFIA_DEBIAN_TAR` names the tar; `.ci/run` makes one.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as assert from 'uvu/assert'
import { CommandLine } from '../support/command-line.js'
import { ID_RANGE, NATIVE, program, SKOPEO } from '../support/requirements.js'
import type { Requirement } from '../support/suite.js'
import { suite } from '../support/suite.js'

const tar = process.env.WOLFFIA_DEBIAN_TAR ?? '/var/tmp/wolffia-debian.tar'
const DEBIAN: Requirement = {
  name: 'debian',
  missing: async () => (existsSync(tar) ? null : `no Debian root: set WOLFFIA_DEBIAN_TAR to a tar of one (${tar} is missing)`),
}
const PYTHON3 = program('python3')

const test = suite('e2e/debian')
const wolffia = new CommandLine()
const SCRIPT = 'cat /etc/os-release; id; hostname; ls -l /proc/self/fd; ls /proc'

let imported: Promise<string> | null = null
function debian(): Promise<string> {
  imported ??= wolffia.output('import', tar, 'debian:12').then(() => 'debian:12')
  return imported
}

function assertDebianSeen(output: string): void {
  assert.match(output, 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"')
  assert.match(output, /^uid=0\(root\) gid=0\(root\) groups=0\(root\)$/m)
  assert.match(output, /^[0-9a-f]{12}$/m)
  const descriptors = [...output.matchAll(/ (\d+) -> (.*)$/gm)].map((match) => [match[1], match[2]])
  assert.equal(
    descriptors.map(([number]) => number),
    ['0', '1', '2', '3'],
    'stdio, and what ls itself has opened',
  )
  assert.ok(descriptors.slice(0, 3).every(([, target]) => target?.startsWith('pipe:')))
  const processes = output.split('\n').filter((line) => /^\d+$/.test(line))
  assert.ok(processes.length <= 3, `sees only its own processes, not ${processes}`)
}

test.needs(NATIVE, DEBIAN)('an imported Debian shows its release, a root of its own, three descriptors and its own processes', async () => {
  assertDebianSeen(await wolffia.output('run', '--rm', await debian(), 'bash', '-c', SCRIPT))
})

test.needs(
  NATIVE,
  DEBIAN,
  SKOPEO,
)('a Debian that skopeo saved as a docker archive loads and shows the same', async () => {
  await debian()
  const archive = join(wolffia.folder, 'saved.tar')
  const source = `oci:${wolffia.home}:docker.io/library/debian:12`
  await promisify(execFile)('skopeo', ['--insecure-policy', 'copy', source, `docker-archive:${archive}:debian:saved`], {
    env: { ...process.env, TMPDIR: wolffia.folder },
  })
  assert.match(await wolffia.output('load', '-i', archive), 'debian:saved')
  assertDebianSeen(await wolffia.output('run', '--rm', 'debian:saved', 'bash', '-c', SCRIPT))
})

test.needs(
  NATIVE,
  DEBIAN,
  PYTHON3,
)('bash at a real terminal edits its line, knows the size and follows a resize', async () => {
  const { code, stdout } = await wolffia.atTerminal(
    ['run', '--rm', '-it', '-h', 'plant', await debian(), 'bash'],
    [
      { expect: 'root@plant' },
      { resize: [33, 101] },
      { send: 'until [ "$(stty size)" = "33 101" ]; do :; done; echo to""ld\r' },
      { expect: 'told' },
      { expect: 'root@plant' },
      { send: 'echo wrongg\x7f; stty size; tty; exit 7\r' },
    ],
  )
  assert.match(stdout, /\rwrong\r\n/)
  assert.match(stdout, 'terminal restored')
  assert.match(stdout, '33 101')
  assert.match(stdout, '/dev/pts/0')
  assert.is(code, 7)
})

test.needs(
  NATIVE,
  DEBIAN,
  ID_RANGE,
)('a Debian has its many owners under a range of ids', async () => {
  const output = await wolffia.output(
    'run',
    '--rm',
    await debian(),
    'stat',
    '-c',
    '%U:%G %a',
    '/etc/shadow',
    '/var/mail',
    '/usr/bin/passwd',
  )
  assert.is(output, 'root:shadow 640\nroot:mail 2775\nroot:root 4755\n')
})

test.needs(NATIVE, DEBIAN)('a package program that changes many files works in the writable layer and leaves the image alone', async () => {
  const change =
    'dpkg --force-all --purge tzdata >/dev/null 2>&1; mkdir /usr/share/new && mv /etc/skel /usr/share/new/ && ls -A /usr/share/new/skel'
  assert.match(await wolffia.output('run', '--rm', await debian(), 'bash', '-c', change), '.bashrc')
  assert.match(await wolffia.output('run', '--rm', 'debian:12', 'ls', '-A', '/etc/skel'), '.bashrc')
})

test.needs(
  NATIVE,
  DEBIAN,
  ID_RANGE,
)('a package with owners of its own is built and installed under a range of ids', async () => {
  const script = `set -e
    mkdir -p /p/DEBIAN /p/srv/games; echo played > /p/srv/games/score; chown games:mail /p/srv/games/score; chmod 640 /p/srv/games/score
    printf 'Package: scores\\nVersion: 1\\nArchitecture: all\\nMaintainer: t <t@localhost>\\nDescription: t\\n' > /p/DEBIAN/control
    printf '#!/bin/sh\\nchown -R games:games /srv/games\\n' > /p/DEBIAN/postinst; chmod 755 /p/DEBIAN/postinst
    dpkg-deb -b /p /p.deb >/dev/null
    dpkg-deb -c /p.deb | grep -o 'games/mail'
    dpkg -i /p.deb >/dev/null 2>&1
    stat -c '%U:%G %a' /srv/games/score; dpkg-query -W -f '\${Status}\\n' scores`
  const output = await wolffia.output('run', '--rm', await debian(), 'bash', '-c', script)
  assert.is(output, 'games/mail\ngames:games 640\ninstall ok installed\n')
})

test.needs(NATIVE, DEBIAN)('a Debian program behind the Wasm wall is refused with the way out', async () => {
  const { code, stderr } = await wolffia.run(['run', '--rm', '--runtime', 'wasm', await debian(), 'bash'])
  assert.is(code, 125)
  assert.match(stderr, 'ELF')
  assert.match(stderr, '--runtime native')
})

test('nothing is left', () => wolffia.end())

test.run()
