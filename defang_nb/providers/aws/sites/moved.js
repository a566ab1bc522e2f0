// CloudFront runs this with every answer. An object of the bucket that says where something has moved to becomes a redirect.
function handler(event) {
  var response = event.response;
  var headers = response.headers;
  var location = headers["x-amz-meta-location"];
  if (location) {
    var status = headers["x-amz-meta-status"];
    response.statusCode = status && status.value === "302" ? 302 : 301;
    response.statusDescription = response.statusCode === 302 ? "Found" : "Moved Permanently";
    headers["location"] = { value: location.value };
    delete headers["x-amz-meta-location"];
    delete headers["x-amz-meta-status"];
  }
  return response;
}
