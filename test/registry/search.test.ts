import * as assert from 'uvu/assert'
import { imageTags, searchImages } from '../../src/engine/image-search.js'
import { assertRejects, tarOf } from '../support/image-fixtures.js'
import { RegistryServer, send, sendError } from '../support/registry-server.js'
import { type RegistryUser, withUser } from '../support/registry-user.js'
import { suite } from '../support/suite.js'

const test = suite('registry/search')

function withRegistry(body: (user: RegistryUser, server: RegistryServer) => Promise<void>): Promise<void> {
  return withUser(async (user) => {
    await using server = await RegistryServer.start()
    await body(user, server)
  })
}

const search = (user: RegistryUser, term: string, limit?: number) =>
  searchImages(term, limit === undefined ? {} : { limit }, { environment: user.environment, patience: user.patience })

/** Answers a path with a document. */
function answer(server: RegistryServer, path: string, document: unknown, headers: Record<string, string> = {}): void {
  server.rules.push((asked) => {
    if (asked.path !== path) return false
    send(asked.response, 200, headers, typeof document === 'string' ? document : JSON.stringify(document))
    return true
  })
}

test('a registry with a search of its own is asked with the term, and says more than names', () =>
  withRegistry(async (user, server) => {
    const results = [
      { name: 'team/app', description: 'An app', star_count: 3, is_official: true, is_automated: false },
      { name: 'Not A Name', description: 'is left out' },
      { name: 'bare' },
    ]
    answer(server, '/v1/search', { num_results: 3, results })
    const registry = server.host
    assert.equal(await search(user, `${registry}/app`, 7), [
      { registry, name: `${registry}/team/app`, description: 'An app', stars: 3, isOfficial: true, isAutomated: false },
      { registry, name: `${registry}/bare`, description: '', stars: 0, isOfficial: false, isAutomated: false },
    ])
    assert.is(String(server.log[0]?.query), 'q=app&n=7')
    await user.configure({ defaultRegistry: registry })
    assert.is((await search(user, 'app', 1)).length, 1)
  }))

test('a registry that only lists its repositories is looked through, page by page, the very name first', () =>
  withRegistry(async (user, server) => {
    server.rules.push(({ path, query, response }) => {
      if (path !== '/v2/_catalog') return false
      const isFirst = query.get('last') === null
      const link = isFirst ? { link: '</v2/_catalog?last=zap&n=3>; rel="next"' } : {}
      const repositories = isFirst ? ['apple', 'team/app', 'zap'] : ['app', 'UPPER/app', '../app']
      send(response, 200, link, JSON.stringify({ repositories }))
      return true
    })
    const names = async (term: string, limit?: number) =>
      (await search(user, `${server.host}/${term}`, limit)).map(({ name }) => name.slice(server.host.length + 1))
    assert.equal(await names('app'), ['app', 'apple', 'team/app'])
    assert.equal(await names('app', 2), ['app', 'apple'])
    assert.equal(await names('', 2), ['apple', 'team/app'])
    assert.is(server.asked(/v1/).length, 2, 'without a term there is nothing to search for')
  }))

test('a registry that shows a page where it has no search is looked through too', () =>
  withRegistry(async (user, server) => {
    answer(server, '/v1/search', '<html>Not here</html>')
    answer(server, '/v2/_catalog', { repositories: ['app'] })
    assert.is((await search(user, `${server.host}/app`)).length, 1)
  }))

test('a registry that does neither is named, and so is one that lets nobody list', () =>
  withRegistry(async (user, server) => {
    await assertRejects(search(user, `${server.host}/app`), 'REGISTRY_FAILED', /can neither be searched nor lists/)
    server.rules.push(({ path, response }) => {
      if (path !== '/v2/_catalog') return false
      sendError(response, 401, 'UNAUTHORIZED', 'authentication required', { 'www-authenticate': 'Basic realm="here"' })
      return true
    })
    await assertRejects(search(user, `${server.host}/app`), 'ACCESS_DENIED', /does not let you in/)
  }))

test('a list that never ends, that is none, and an endless answer to a search are refused', () =>
  withRegistry(async (user, server) => {
    let page = 0
    server.rules.push(({ path, response }) => {
      if (path !== '/v2/_catalog') return false
      send(response, 200, { link: `</?last=${page++}>; rel=next` }, JSON.stringify({ repositories: ['other'] }))
      return true
    })
    await assertRejects(search(user, `${server.host}/app`), 'LIMIT_EXCEEDED', /do not end/)
    server.rules.length = 0
    answer(server, '/v2/_catalog', { repositories: [1] })
    await assertRejects(search(user, `${server.host}/app`), 'REGISTRY_FAILED', /list of the repositories/)
    answer(server, '/v1/search', 'x', { 'content-length': '99999999999' })
    await assertRejects(search(user, `${server.host}/app`), 'LIMIT_EXCEEDED')
  }))

test('what could be no name is refused before anything is asked', () =>
  withRegistry(async (user, server) => {
    await assertRejects(search(user, `${server.host}/app?x=1#`), 'INVALID_REFERENCE')
    await assertRejects(search(user, '127.0.0.1:notaport/app'), 'INVALID_ARGUMENT')
    assert.equal(server.log, [])
  }))

test('the tags of a repository are listed, no more than asked for', () =>
  withRegistry(async (user, server) => {
    server.repository('app').image([tarOf({ file: 'x' })], { tags: ['1', '2', '3'] })
    const client = { environment: user.environment, patience: user.patience }
    const found = await imageTags(`${server.host}/app:ignored`, { limit: 2 }, client)
    assert.equal(found, { name: `${server.host}/app`, tags: ['1', '2'] })
    await assertRejects(imageTags(`${server.host}/nosuch`, {}, client), 'IMAGE_NOT_FOUND')
  }))

test.run()
