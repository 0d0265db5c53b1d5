/** Docker's command line cases about files out of containers and into them: see docker.test.ts. */
import { dockerCases } from '../support/docker-case-suite.js'
import { DOCKER_CASES } from './docker-cases.js'

const test = dockerCases('e2e/docker, copying', DOCKER_CASES.copying)

test.run()
