import { type MessageSupport, type SupportArea, supportArea } from './support-area.ts';

const all: MessageSupport = { implemented: 'all' };
const MATCHER = 'xds.type.matcher.v3';
const NETWORK = 'envoy.extensions.matching.common_inputs.network.v3';
const SSL = 'envoy.extensions.matching.common_inputs.ssl.v3';

/** Messages of a CEL expression below its package. */
const celMessages: readonly string[] = [
  'CheckedExpr',
  'Constant',
  'Decl',
  'Decl.FunctionDecl',
  'Decl.FunctionDecl.Overload',
  'Decl.IdentDecl',
  'Expr',
  'Expr.Call',
  'Expr.Comprehension',
  'Expr.CreateList',
  'Expr.CreateStruct',
  'Expr.CreateStruct.Entry',
  'Expr.Ident',
  'Expr.Select',
  'ParsedExpr',
  'Reference',
  'SourceInfo',
  'SourceInfo.Extension',
  'SourceInfo.Extension.Version',
  'Type',
  'Type.AbstractType',
  'Type.FunctionType',
  'Type.ListType',
  'Type.MapType',
];

function celPackage(name: string): SupportArea {
  return Object.fromEntries(celMessages.map((message) => [`${name}.${message}`, all]));
}

/** The unified matcher: trees, inputs and custom matchers, and CEL expressions. */
export const matching: SupportArea = supportArea({
  [`${MATCHER}.Matcher`]: all,
  [`${MATCHER}.Matcher.OnMatch`]: all,
  [`${MATCHER}.Matcher.MatcherList`]: all,
  [`${MATCHER}.Matcher.MatcherList.FieldMatcher`]: all,
  [`${MATCHER}.Matcher.MatcherList.Predicate`]: all,
  [`${MATCHER}.Matcher.MatcherList.Predicate.PredicateList`]: all,
  [`${MATCHER}.Matcher.MatcherList.Predicate.SinglePredicate`]: all,
  [`${MATCHER}.Matcher.MatcherTree`]: { implemented: ['input', 'exact_match_map', 'prefix_match_map'] },
  [`${MATCHER}.Matcher.MatcherTree.MatchMap`]: all,
  [`${MATCHER}.StringMatcher`]: {
    implemented: ['exact', 'prefix', 'suffix', 'safe_regex', 'contains', 'ignore_case'],
  },
  [`${MATCHER}.RegexMatcher`]: {
    implemented: ['regex'],
    noEffect: { google_re2: 'RE2 is the only engine' },
  },
  [`${MATCHER}.HttpAttributesCelMatchInput`]: all,
  [`${MATCHER}.CelMatcher`]: {
    implemented: ['expr_match'],
    noEffect: { description: 'a remark for readers' },
  },
  'xds.type.v3.CelExpression': all,
  'xds.core.v3.TypedExtensionConfig': all,
  'xds.core.v3.CidrRange': all,
  ...celPackage('cel.expr'),
  ...celPackage('google.api.expr.v1alpha1'),
  'envoy.type.matcher.v3.HttpRequestHeaderMatchInput': all,
  'envoy.type.matcher.v3.HttpResponseHeaderMatchInput': all,
  'envoy.type.matcher.v3.HttpRequestQueryParamMatchInput': all,
  'envoy.type.matcher.v3.PathMatcher': all,
  'envoy.type.matcher.v3.AddressMatcher': all,
  'envoy.type.matcher.v3.FilterStateMatcher': { implemented: ['key', 'string_match'] },
  [`${NETWORK}.DestinationIPInput`]: all,
  [`${NETWORK}.DestinationPortInput`]: all,
  [`${NETWORK}.SourceIPInput`]: all,
  [`${NETWORK}.SourcePortInput`]: all,
  [`${NETWORK}.DirectSourceIPInput`]: all,
  [`${NETWORK}.ServerNameInput`]: all,
  [`${NETWORK}.FilterStateInput`]: { implemented: ['key'] },
  [`${NETWORK}.DynamicMetadataInput`]: all,
  [`${NETWORK}.DynamicMetadataInput.PathSegment`]: all,
  [`${SSL}.UriSanInput`]: all,
  [`${SSL}.DnsSanInput`]: all,
  [`${SSL}.SubjectInput`]: all,
  'envoy.extensions.matching.input_matchers.ip.v3.Ip': {
    implemented: ['cidr_ranges'],
    noEffect: { stat_prefix: 'names statistics of failures that cannot happen here' },
  },
  'envoy.extensions.matching.input_matchers.metadata.v3.Metadata': all,
});
