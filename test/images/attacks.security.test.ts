/** The attacks of images/attacks/, each of which must get nowhere behind the native wall, and somewhere without its filter. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { ATTACK_EXITS, compileAttacks, nativeAttacks } from '../../images/attacks/compile.js'
import { type BoxOptions, idMaps, withBox } from '../support/launcher-box.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('images/attacks')
const ROOT = process.cwd()
const ATTACKS = nativeAttacks(ROOT)
// biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's.
const SCRIPT = 'for path in /attacks/*; do "$path" >/dev/null 2>&1; echo "${path##*/} $?"; done'

/** How each ended, in containers that differ. */
async function verdicts(...circumstances: readonly BoxOptions[]): Promise<readonly ReadonlyMap<string, string>[]> {
  const all: ReadonlyMap<string, string>[] = []
  await withBox(async (box) => {
    mkdirSync(join(box.root, 'attacks'))
    await compileAttacks(ROOT, join(box.root, 'attacks'))
    for (const options of circumstances) {
      const { stdout } = await box.shell(SCRIPT, options)
      all.push(
        new Map(
          stdout
            .trim()
            .split('\n')
            .map((line): [string, string] => {
              const [name = '', code] = line.split(' ')
              return [name, ATTACK_EXITS[Number(code)] ?? `exit ${code}`]
            }),
        ),
      )
    }
  })
  return all
}

test('every attack says what it stands for and what is expected', () => {
  assert.ok(ATTACKS.length >= 20)
  for (const { name } of ATTACKS) {
    const text = readFileSync(join(ROOT, 'images/attacks', name, 'README.md'), 'utf8')
    assert.match(text, /^# .+\n\n.*(CVE-\d{4}-\d+|Class:|user-namespace|Shocker).*\n\nExpected: held\.\n$/s, name)
  }
})

test.needs(
  NATIVE,
  BUSYBOX,
  CC,
)('every attack is held by the native wall, and some get somewhere without its filter', async () => {
  const maps = idMaps()
  const [open, ...walled] = await verdicts({ seccomp: false }, ...maps.map((idMap) => ({ idMap })))
  for (const results of walled) {
    const ended = ATTACKS.map(({ name }) => [name, results.get(name)])
    assert.equal(
      ended.filter(([, verdict]) => verdict !== 'held' && verdict !== 'not here'),
      [],
    )
    // A box has no device to make terminals with by that name; the wall itself is tried by `npm run bench -- attacks`.
    assert.equal(
      ended.filter(([name, verdict]) => verdict === 'not here' && name !== 'tiocsti' && name !== 'i386'),
      [],
    )
  }
  for (const name of ['user-namespace', 'user-namespace-clone3', 'personality']) assert.is(open?.get(name), 'REACHED', name)
})

test.run()
