#include "node/http/outgoing.hpp"

namespace tessera::http {

namespace {

const char* status_phrase(int status) {
  switch (status) {
  case 200:
    return "OK";
  case 201:
    return "Created";
  case 202:
    return "Accepted";
  case 206:
    return "Partial Content";
  case 304:
    return "Not Modified";
  case 400:
    return "Bad Request";
  case 401:
    return "Unauthorized";
  case 403:
    return "Forbidden";
  case 404:
    return "Not Found";
  case 405:
    return "Method Not Allowed";
  case 409:
    return "Conflict";
  case 413:
    return "Content Too Large";
  case 416:
    return "Range Not Satisfiable";
  case 422:
    return "Unprocessable Content";
  case 429:
    return "Too Many Requests";
  case 500:
    return "Internal Server Error";
  case 503:
    return "Service Unavailable";
  case 507:
    return "Insufficient Storage";
  default:
    return "Status"; // The number says it; the phrase is for people.
  }
}

restinio::http_status_line_t status_line(const HttpReply& reply) {
  return {restinio::http_status_code_t{static_cast<std::uint16_t>(reply.status)},
          status_phrase(reply.status)};
}

template<class Response>
void add_headers(Response& response, const HttpReply& reply) {
  if (!reply.content_type.empty())
    response.append_header(restinio::http_field::content_type, reply.content_type);
  response.append_header("X-Content-Type-Options", "nosniff");
  if (!reply.headers.contains("Cache-Control"))
    response.append_header(restinio::http_field::cache_control, "no-store");
  for (const auto& [name, value] : reply.headers)
    response.append_header(name, value);
}

bool is_head(const restinio::request_t& request) {
  return request.header().method() == restinio::http_method_head();
}

std::uint64_t length_of(const HttpReply& reply) {
  if (reply.stream)
    return reply.stream->size.value_or(0);
  return reply.body ? reply.body->size() : 0;
}

// What has a body with its length, and what has neither known in advance.
using Sized = restinio::user_controlled_output_t;
using Chunked = restinio::chunked_output_t;

void append(restinio::response_builder_t<Sized>& response, std::shared_ptr<const Bytes> piece) {
  response.append_body(std::move(piece));
}
void append(restinio::response_builder_t<Chunked>& response, std::shared_ptr<const Bytes> piece) {
  response.append_chunk(std::move(piece));
}

template<class Output>
class Streaming : public std::enable_shared_from_this<Streaming<Output>> {
public:
  Streaming(const restinio::request_handle_t& request, const HttpReply& reply, Post post)
      : post_(std::move(post)), stream_(reply.stream), left_(reply.stream->size),
        response_(request->create_response<Output>(status_line(reply))) {
    add_headers(response_, reply);
    response_.connection_close();
    if constexpr (std::is_same_v<Output, Sized>)
      response_.set_content_length(*left_);
  }

  void go_on() {
    if (left_ == 0)
      return done();
    const auto ask = std::make_shared<Ask>(this->shared_from_this());
    stream_->next([ask](std::shared_ptr<const Bytes> piece) { ask->answer(std::move(piece)); });
  }

private:
  // Ends the body when nobody answers: whoever was asked may die.
  struct Ask {
    std::shared_ptr<Streaming> stream;

    explicit Ask(std::shared_ptr<Streaming> s) : stream(std::move(s)) {}
    Ask(const Ask&) = delete;
    ~Ask() { answer(nullptr); }
    void answer(std::shared_ptr<const Bytes> piece) {
      if (const auto s = std::exchange(stream, nullptr))
        s->post_([s, piece = std::move(piece)] { s->came(piece); });
    }
  };

  void came(const std::shared_ptr<const Bytes>& piece) {
    if (!piece || piece->empty() || (left_ && piece->size() > *left_))
      return done();
    if (left_)
      *left_ -= piece->size();
    try {
      append(response_, piece);
      response_.flush([self = this->shared_from_this()](const auto& failed) {
        if (!failed)
          self->go_on();
      });
    } catch (const std::exception&) {
      // The client is gone.
    }
  }

  void done() {
    try {
      response_.done();
    } catch (const std::exception&) {
      // The client is gone.
    }
  }

  Post post_;
  std::shared_ptr<HttpReply::Stream> stream_;
  std::optional<std::uint64_t> left_;
  restinio::response_builder_t<Output> response_;
};

// RESTinio gives what has a body of its own its length, so these say theirs.
void send_head(const restinio::request_handle_t& request, const HttpReply& reply, Then then) {
  auto response = request->create_response<Sized>(status_line(reply));
  add_headers(response, reply);
  response.set_content_length(length_of(reply));
  if (then == Then::hang_up)
    response.connection_close();
  response.done();
}

} // namespace

void send(const restinio::request_handle_t& request, const HttpReply& reply, Then then) {
  if (is_head(*request) || reply.status == 304)
    return send_head(request, reply, then);
  auto response = request->create_response(status_line(reply));
  add_headers(response, reply);
  if (reply.body && !reply.body->empty())
    response.set_body(reply.body);
  if (then == Then::hang_up)
    response.connection_close();
  response.done();
}

void send_or_drop(const restinio::request_handle_t& request, const HttpReply& reply, Then then) {
  try {
    send(request, reply, then);
  } catch (const std::exception&) {
    // The client is gone, or its connection is; nobody is left to tell.
  }
}

void send_pieces(const restinio::request_handle_t& request, const HttpReply& reply, Post post) {
  if (is_head(*request) || reply.status == 304)
    return send_or_drop(request, reply);
  if (reply.stream->size)
    std::make_shared<Streaming<Sized>>(request, reply, std::move(post))->go_on();
  else
    std::make_shared<Streaming<Chunked>>(request, reply, std::move(post))->go_on();
}

} // namespace tessera::http
