/** Outcome of verifying a token; the texts are those of Envoy's answers. */
export const JwtStatus = {
  Ok: 'OK',
  Missing: 'Jwt is missing',
  NotYetValid: 'Jwt not yet valid',
  Expired: 'Jwt is expired',
  BadFormat: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
  HeaderBadBase64: 'Jwt header is an invalid Base64url encoded',
  HeaderBadJson: 'Jwt header is an invalid JSON',
  HeaderBadAlg: 'Jwt header [alg] field is required and must be a string',
  HeaderUnknownAlg: 'Jwt header [alg] is not supported',
  HeaderBadKid: 'Jwt header [kid] field is not a string',
  PayloadBadBase64: 'Jwt payload is an invalid Base64url encoded',
  PayloadBadJson: 'Jwt payload is an invalid JSON',
  IssNotString: 'Jwt payload [iss] field is not a string',
  SubNotString: 'Jwt payload [sub] field is not a string',
  IatNotInteger: 'Jwt payload [iat] field is not an integer',
  IatOutOfRange: 'Jwt payload [iat] field is not a positive 64 bit integer',
  NbfNotInteger: 'Jwt payload [nbf] field is not an integer',
  NbfOutOfRange: 'Jwt payload [nbf] field is not a positive 64 bit integer',
  ExpNotInteger: 'Jwt payload [exp] field is not an integer',
  ExpOutOfRange: 'Jwt payload [exp] field is not a positive 64 bit integer',
  JtiNotString: 'Jwt payload [jti] field is not a string',
  AudNotString: 'Jwt payload [aud] field is not a string or string list',
  SignatureBadBase64: 'Jwt signature is an invalid Base64url encoded',
  UnknownIssuer: 'Jwt issuer is not configured',
  AudienceNotAllowed: 'Audiences in Jwt are not allowed',
  VerificationFail: 'Jwt verification fails',
  NoKeys: "Jwks doesn't have any valid public key",
  KidAlgMismatch: "Jwks doesn't have key to match kid or alg from Jwt",
  FetchFail: 'Jwks remote fetch is failed',
} as const;
/** @see JwtStatus */
export type JwtStatus = (typeof JwtStatus)[keyof typeof JwtStatus];

/** Number of a status in Envoy's list, for `failed_status_in_metadata`. */
export function jwtStatusCode(status: JwtStatus): number {
  return codes.get(status) ?? 0;
}

// Positions in google::jwt_verify::Status.
const codes = new Map<JwtStatus, number>([
  [JwtStatus.Missing, 1],
  [JwtStatus.NotYetValid, 2],
  [JwtStatus.Expired, 3],
  [JwtStatus.BadFormat, 4],
  [JwtStatus.HeaderBadBase64, 5],
  [JwtStatus.HeaderBadJson, 6],
  [JwtStatus.HeaderBadAlg, 7],
  [JwtStatus.HeaderUnknownAlg, 8],
  [JwtStatus.HeaderBadKid, 9],
  [JwtStatus.PayloadBadBase64, 10],
  [JwtStatus.PayloadBadJson, 12],
  [JwtStatus.IssNotString, 13],
  [JwtStatus.SubNotString, 14],
  [JwtStatus.IatNotInteger, 15],
  [JwtStatus.IatOutOfRange, 16],
  [JwtStatus.NbfNotInteger, 17],
  [JwtStatus.NbfOutOfRange, 18],
  [JwtStatus.ExpNotInteger, 19],
  [JwtStatus.ExpOutOfRange, 20],
  [JwtStatus.JtiNotString, 21],
  [JwtStatus.AudNotString, 22],
  [JwtStatus.SignatureBadBase64, 23],
  [JwtStatus.UnknownIssuer, 24],
  [JwtStatus.AudienceNotAllowed, 25],
  [JwtStatus.VerificationFail, 26],
  [JwtStatus.KidAlgMismatch, 30],
  [JwtStatus.NoKeys, 31],
  [JwtStatus.FetchFail, 32],
]);
