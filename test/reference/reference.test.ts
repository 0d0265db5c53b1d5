import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { familiarReference, isReference, parseReference, withDefaultTag } from '../../src/reference/normalize.js'
import { formatReference } from '../../src/reference/reference.js'
import { fc } from '../support/properties.js'
import { suite } from '../support/suite.js'

const test = suite('reference')
const HEX = '7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa'

/** What docker makes of what people type: full form, and the form it prints. */
const ACCEPTED: readonly (readonly [typed: string, full: string, familiar: string])[] = [
  ['alpine', 'docker.io/library/alpine', 'alpine'],
  ['alpine:3.20', 'docker.io/library/alpine:3.20', 'alpine:3.20'],
  ['library/alpine', 'docker.io/library/alpine', 'alpine'],
  ['docker.io/alpine', 'docker.io/library/alpine', 'alpine'],
  ['index.docker.io/alpine', 'docker.io/library/alpine', 'alpine'],
  ['docker.io/library/alpine', 'docker.io/library/alpine', 'alpine'],
  ['user/app:v1', 'docker.io/user/app:v1', 'user/app:v1'],
  ['localhost/app', 'localhost/app', 'localhost/app'],
  ['localhost:5000/app:1', 'localhost:5000/app:1', 'localhost:5000/app:1'],
  ['registry.example/app', 'registry.example/app', 'registry.example/app'],
  ['registry:80/app', 'registry:80/app', 'registry:80/app'],
  // A name with a colon and no slash has a tag, never a port.
  ['app:5000', 'docker.io/library/app:5000', 'app:5000'],
  ['[fc00::1]:5000/app', '[fc00::1]:5000/app', '[fc00::1]:5000/app'],
  ['Uppercase/app', 'Uppercase/app', 'Uppercase/app'],
  ['a/b/c/d', 'docker.io/a/b/c/d', 'a/b/c/d'],
  ['a__b', 'docker.io/library/a__b', 'a__b'],
  ['a---b', 'docker.io/library/a---b', 'a---b'],
  ['library/a/b', 'docker.io/library/a/b', 'library/a/b'],
  ['alpine:A.b-C_1', 'docker.io/library/alpine:A.b-C_1', 'alpine:A.b-C_1'],
  [`alpine@sha256:${HEX}`, `docker.io/library/alpine@sha256:${HEX}`, `alpine@sha256:${HEX}`],
  [`alpine:3@sha256:${HEX}`, `docker.io/library/alpine:3@sha256:${HEX}`, `alpine:3@sha256:${HEX}`],
  [`a:${'t'.repeat(128)}`, `docker.io/library/a:${'t'.repeat(128)}`, `a:${'t'.repeat(128)}`],
  [`r.example/${'a'.repeat(255)}`, `r.example/${'a'.repeat(255)}`, `r.example/${'a'.repeat(255)}`],
]

/** What docker refuses, and a part of the reason. */
const REFUSED: readonly (readonly [typed: string, reason: RegExp])[] = [
  ['', /empty/],
  [':latest', /name is missing/],
  ['@sha256:abc', /name is missing/],
  ['Alpine', /repository name \(library\/Alpine\) must be lowercase/],
  ['docker.io/Alpine', /must be lowercase/],
  ['user/App:v1', /must be lowercase/],
  ['-alpine', /"-alpine" is no part/],
  ['alpine-', /no part/],
  ['a..b', /no part/],
  ['a___b', /no part/],
  ['a//b', /empty part/],
  ['a/', /empty part/],
  ['/a', /no registry host|empty part/],
  ['../etc/passwd', /registry host/],
  ['a/../b', /no part/],
  ['alpine:', /"" is no tag/],
  ['alpine:-1', /no tag/],
  [`alpine:${'t'.repeat(129)}`, /no tag/],
  ['alpine:a b', /no tag/],
  ['alpine\n', /no part/],
  ['alpine:1\n', /no tag/],
  ['alpine@', /no digest/],
  ['alpine@sha256:abc', /no digest/],
  [`alpine@sha256:${HEX.toUpperCase()}`, /64 lower-case/],
  [`alpine@sha512:${HEX}${HEX}`, /sha512 are not checked/],
  [HEX, /64-byte hexadecimal/],
  ['registry:port/app', /no registry host/],
  ['-registry.example/app', /no registry host/],
  [`r.example/${'a'.repeat(256)}`, /more than 255/],
  ['ålpine', /no part/],
]

for (const [typed, full, familiar] of ACCEPTED)
  test(`${typed.slice(0, 60)} means ${full.slice(0, 60)}`, () => {
    const reference = parseReference(typed)
    assert.is(formatReference(reference), full)
    assert.is(familiarReference(reference), familiar)
  })

for (const [typed, reason] of REFUSED)
  test(`${JSON.stringify(typed.slice(0, 60))} is refused with a reason and a way out`, () => {
    try {
      parseReference(typed)
      assert.unreachable()
    } catch (error) {
      const { code, message, hint } = error as EngineError
      assert.is(code, 'INVALID_REFERENCE', message)
      assert.match(message, reason)
      assert.ok(hint)
    }
    assert.not(isReference(typed))
  })

test('latest is the tag of a name without tag and digest, and only of that', () => {
  assert.is(formatReference(withDefaultTag(parseReference('alpine'))), 'docker.io/library/alpine:latest')
  assert.is(formatReference(withDefaultTag(parseReference('alpine:3'))), 'docker.io/library/alpine:3')
  assert.is(formatReference(withDefaultTag(parseReference(`alpine@sha256:${HEX}`))), `docker.io/library/alpine@sha256:${HEX}`)
})

const component = fc.stringMatching(/^[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}$/)
const domain = fc.constantFrom(
  '',
  'localhost/',
  'localhost:5000/',
  'r.example/',
  'R/',
  '[::1]:80/',
  'docker.io/',
  'index.docker.io/',
  'library/',
)
const tag = fc.option(fc.stringMatching(/^\w[\w.-]{0,12}$/), { nil: undefined })
const name = fc
  .tuple(domain, fc.array(component, { minLength: 1, maxLength: 4 }), tag, fc.boolean())
  .map(
    ([host, path, word, hasDigest]) =>
      `${host}${path.join('/')}${word === undefined ? '' : `:${word}`}${hasDigest ? `@sha256:${HEX}` : ''}`,
  )

test('what is printed reads back as the same reference, in either form', () => {
  fc.assert(
    fc.property(name, (typed) => {
      // A first part with a dot is a registry's, where underscores are wrong.
      fc.pre(isReference(typed))
      const reference = parseReference(typed)
      assert.equal(parseReference(formatReference(reference)), reference)
      assert.equal(parseReference(familiarReference(reference)), reference)
    }),
  )
})

test('any text is either a reference or refused as one, and what is accepted is safe as a name', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'aB0._-:/@[]é\0\n ') })), (typed) => {
      try {
        const { path, tag: word, domain: host } = parseReference(typed)
        assert.match(path, /^[a-z0-9][a-z0-9._/-]*$/)
        assert.match(`${host}${word ?? ''}`, /^[\w.:[\]-]+$/)
        assert.not(path.split('/').includes('..'))
      } catch (error) {
        assert.is((error as EngineError).code, 'INVALID_REFERENCE', String(error))
      }
    }),
    { numRuns: 500 },
  )
})

test.run()
