/** The part of `aegir/chai` that the compliance tests use: chai with the same plugins, in the same order. */

import chai from 'chai'
import asPromised from 'chai-as-promised'
import bites from 'chai-bites'
import parentheses from 'chai-parentheses'

// chai-parentheses makes functions of the properties that exist by then
for (const plugin of [asPromised, parentheses, bites]) chai.use(plugin)

export const { expect } = chai
