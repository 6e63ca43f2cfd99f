/*
 * Addresses in both forms. Texts of errors were observed with QEMU 10.0.
 */
#include <godwit/address.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef int (*parse_fn)(const char *text, struct gw_address **ret_address,
                        struct gw_error **errp);

static struct gw_address *parse(parse_fn fn, const char *text)
{
    struct gw_address *address = NULL;
    struct gw_error *error = NULL;

    if (fn(text, &address, &error) != 0) {
        fail_msg("'%s' fails: %s", text, gw_error_text(error));
    }
    assert_non_null(address);
    return address;
}

static struct gw_address *parse_uri(const char *uri)
{
    return parse(gw_address_parse, uri);
}

static struct gw_address *parse_json(const char *json)
{
    return parse(gw_address_parse_json, json);
}

static void expect_error(parse_fn fn, const char *text, int code,
                         const char *message)
{
    struct gw_address *address = NULL;
    struct gw_error *error = NULL;
    int r = fn(text, &address, &error);

    if (r != code || strcmp(gw_error_text(error), message) != 0) {
        fail_msg("'%s' gives %d, '%s' and not '%s'", text, r,
                 gw_error_text(error), message);
    }
    assert_null(address);
    gw_error_free(error);
}

static void expect_uri_error(const char *uri, const char *message)
{
    expect_error(gw_address_parse, uri, -EINVAL, message);
}

static void expect_json_error(const char *json, const char *message)
{
    expect_error(gw_address_parse_json, json, -EINVAL, message);
}

static void expect_file(const char *uri, const char *path, uint64_t offset)
{
    struct gw_address *address = parse_uri(uri);

    assert_int_equal(address->transport, GW_TRANSPORT_FILE);
    assert_string_equal(address->path, path);
    assert_int_equal(address->offset, offset);
    gw_address_free(address);
}

static void test_address__file_names_and_offsets(void **state)
{
    (void)state;
    expect_file("file:/vm/a.mig", "/vm/a.mig", 0);
    expect_file("file:", "", 0);
    expect_file("file:/a,b=1", "/a,b=1", 0);
    expect_file("file:/a,offset=1k", "/a", 1024);
    expect_file("file:/a,offset=0x1000", "/a", 4096);
    expect_file("file:/a,offset=1.5k", "/a", 1536);
    expect_file("file:/a,offset= 4096", "/a", 4096);
    expect_file("file:/a,offset=8E", "/a", UINT64_C(1) << 63);
    expect_file("file:/a,b,offset=1", "/a,b", 1);
    expect_file("file:,offset=1", "", 1);
}

static void test_address__bad_offsets(void **state)
{
    (void)state;
    expect_uri_error("file:/a,offset=",
                     "file URI has bad offset : Invalid argument");
    expect_uri_error("file:/a,offset=x",
                     "file URI has bad offset x: Invalid argument");
    expect_uri_error("file:/a,offset=0x10k",
                     "file URI has bad offset 0x10k: Invalid argument");
    expect_uri_error("file:/a,offset=4096 ",
                     "file URI has bad offset 4096 : Invalid argument");
    expect_uri_error("file:/a,offset=4096,offset=3",
                     "file URI has bad offset 4096,offset=3: Invalid argument");
    expect_error(gw_address_parse, "file:/a,offset=-1", -ERANGE,
                 "file URI has bad offset -1: Numerical result out of range");
    expect_error(gw_address_parse, "file:/a,offset=16E", -ERANGE,
                 "file URI has bad offset 16E: Numerical result out of range");
}

static void expect_inet(const char *uri, const char *host, const char *port)
{
    struct gw_address *address = parse_uri(uri);

    assert_int_equal(address->transport, GW_TRANSPORT_TCP);
    assert_string_equal(address->host, host);
    assert_string_equal(address->port, port);
    gw_address_free(address);
}

static void test_address__tcp_hosts_and_ports(void **state)
{
    (void)state;
    expect_inet("tcp:localhost:4444", "localhost", "4444");
    expect_inet("tcp::4444", "", "4444");
    expect_inet("tcp:[::1]:http", "::1", "http");
    expect_inet("tcp:h:1,bogus=3", "h", "1");
    expect_inet(
        "tcp:hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh:"
        "1",
        "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh",
        "1");
    /* What exceeds 32 characters is searched for options, like the rest. */
    expect_inet("tcp:h:1111111111111111111111111111111122", "h",
                "11111111111111111111111111111111");
}

static void test_address__tcp_options(void **state)
{
    struct gw_address *address;

    (void)state;
    address = parse_uri("tcp:h:1,to=9,ipv4,ipv6=off,x,keep-alive=on,mptcp");
    assert_int_equal(address->to, 9);
    assert_int_equal(address->ipv4, GW_ON);
    assert_int_equal(address->ipv6, GW_OFF);
    assert_int_equal(address->keep_alive, GW_ON);
    assert_int_equal(address->mptcp, GW_ON);
    gw_address_free(address);
    address = parse_uri("tcp:h:1");
    assert_int_equal(address->to, 0);
    assert_int_equal(address->ipv4, GW_AUTO);
    gw_address_free(address);
}

static void test_address__bad_tcp(void **state)
{
    (void)state;
    expect_uri_error("tcp:", "error parsing address ''");
    expect_uri_error("tcp:localhost", "error parsing address 'localhost'");
    expect_uri_error("tcp:a:", "error parsing address 'a:'");
    expect_uri_error("tcp::", "error parsing port in address ':'");
    expect_uri_error("tcp:[::1:1", "error parsing IPv6 address '[::1:1'");
    expect_uri_error("tcp:[::1]:", "error parsing IPv6 address '[::1]:'");
    expect_uri_error("tcp::1,to=x", "error parsing to= argument");
    expect_uri_error("tcp::1,to=5x", "error parsing to= argument");
    expect_uri_error("tcp::1,to=70000", "error parsing to= argument");
    expect_uri_error("tcp:h:1,ipv4=maybe",
                     "error parsing 'ipv4' flag '=maybe'");
    expect_uri_error("tcp:h:1,ipv4,,x", "error parsing 'ipv4' flag ',,x'");
    expect_uri_error("tcp:h:1,ipv6=", "error parsing 'ipv6' flag '='");
    expect_uri_error("tcp:h:1,keep-alive=no",
                     "error parsing 'keep-alive' flag '=no'");
    expect_uri_error("tcp:h:1,mptcp=no", "error parsing 'mptcp' flag '=no'");
    expect_uri_error("rdma:h", "error parsing address 'h'");
    expect_uri_error(
        "tcp:hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh:"
        "1",
        "error parsing address 'hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
        "hhhhhhhhhhhhhhhhhh:1'");
}

static void test_address__other_transports(void **state)
{
    struct gw_address *address;

    (void)state;
    address = parse_uri("unix:/run/a,abstract=on");
    assert_int_equal(address->transport, GW_TRANSPORT_UNIX);
    assert_string_equal(address->path, "/run/a,abstract=on");
    assert_false(address->is_abstract);
    assert_true(address->tight);
    gw_address_free(address);
    address = parse_uri("vsock:2:1024");
    assert_int_equal(address->transport, GW_TRANSPORT_VSOCK);
    assert_string_equal(address->host, "2");
    assert_string_equal(address->port, "1024");
    gw_address_free(address);
    address = parse_uri("fd:mig");
    assert_int_equal(address->transport, GW_TRANSPORT_FD);
    assert_string_equal(address->fd_name, "mig");
    gw_address_free(address);
    address = parse_uri("exec:gzip -c > 'a b'");
    assert_int_equal(address->transport, GW_TRANSPORT_EXEC);
    assert_string_equal(address->args[0], "/bin/sh");
    assert_string_equal(address->args[1], "-c");
    assert_string_equal(address->args[2], "gzip -c > 'a b'");
    assert_null(address->args[3]);
    gw_address_free(address);
    address = parse_uri("rdma:h:1");
    assert_int_equal(address->transport, GW_TRANSPORT_RDMA);
    gw_address_free(address);
}

static void test_address__bad_uris(void **state)
{
    (void)state;
    expect_uri_error("", "unknown migration protocol: ");
    expect_uri_error("foo:bar", "unknown migration protocol: foo:bar");
    expect_uri_error("defer", "unknown migration protocol: defer");
    expect_uri_error("TCP:a:1", "unknown migration protocol: TCP:a:1");
    expect_uri_error("unix:", "invalid Unix socket address");
    expect_uri_error("fd:", "invalid file descriptor address");
    expect_uri_error("vsock:", "error parsing address ''");
    expect_uri_error("vsock::1", "error parsing address ':1'");
    expect_uri_error("vsock:a:", "error parsing address 'a:'");
    expect_uri_error("vsock:1:2,x", "trailing characters in address '1:2,x'");
}

static void test_address__json_forms(void **state)
{
    struct gw_address *address;

    (void)state;
    address = parse_json("{\"transport\":\"file\","
                         "\"filename\":\"/a,offset=1\",\"offset\":4096}");
    assert_int_equal(address->transport, GW_TRANSPORT_FILE);
    assert_string_equal(address->path, "/a,offset=1");
    assert_int_equal(address->offset, 4096);
    gw_address_free(address);
    address = parse_json("{\"transport\":\"exec\",\"args\":[\"a\",\"b c\"]}");
    assert_int_equal(address->transport, GW_TRANSPORT_EXEC);
    assert_string_equal(address->args[1], "b c");
    assert_null(address->args[2]);
    gw_address_free(address);
    address = parse_json("{\"transport\":\"socket\",\"type\":\"inet\","
                         "\"host\":\"::1\",\"port\":\"1\",\"numeric\":true,"
                         "\"to\":65535,\"ipv4\":false,\"keep-alive\":true}");
    assert_int_equal(address->transport, GW_TRANSPORT_TCP);
    assert_true(address->numeric);
    assert_int_equal(address->to, 65535);
    assert_int_equal(address->ipv4, GW_OFF);
    assert_int_equal(address->ipv6, GW_AUTO);
    assert_int_equal(address->keep_alive, GW_ON);
    gw_address_free(address);
    address = parse_json("{\"transport\":\"socket\",\"type\":\"unix\","
                         "\"path\":\"p\",\"abstract\":true,\"tight\":false}");
    assert_int_equal(address->transport, GW_TRANSPORT_UNIX);
    assert_true(address->is_abstract);
    assert_false(address->tight);
    gw_address_free(address);
    address = parse_json("{\"transport\":\"socket\",\"type\":\"vsock\","
                         "\"cid\":\"3\",\"port\":\"4\"}");
    assert_int_equal(address->transport, GW_TRANSPORT_VSOCK);
    assert_string_equal(address->host, "3");
    gw_address_free(address);
    address = parse_json("{\"transport\":\"socket\",\"type\":\"fd\","
                         "\"str\":\"7\"}");
    assert_int_equal(address->transport, GW_TRANSPORT_FD);
    assert_string_equal(address->fd_name, "7");
    gw_address_free(address);
}

static void test_address__json_shapes_that_do_not_fit(void **state)
{
    (void)state;
    expect_json_error("{}", "Parameter 'transport' is missing");
    expect_json_error("[]", "address must be a JSON object");
    expect_json_error("{\"transport\":\"foo\"}",
                      "Parameter 'transport' does not accept value 'foo'");
    expect_json_error("{\"transport\":1}", "Invalid parameter type for "
                                           "'transport', expected: string");
    expect_json_error("{\"transport\":\"file\",\"filename\":\"a\"}",
                      "Parameter 'offset' is missing");
    expect_json_error(
        "{\"transport\":\"file\",\"filename\":\"a\",\"offset\":\"1\"}",
        "Parameter 'offset' expects uint64");
    expect_json_error(
        "{\"transport\":\"file\",\"filename\":\"a\",\"offset\":0,\"foo\":1}",
        "Parameter 'foo' is unexpected");
    expect_json_error("{\"transport\":\"exec\",\"args\":[1]}",
                      "Invalid parameter type for 'args[0]', expected: string");
    expect_json_error("{\"transport\":\"exec\",\"args\":[]}",
                      "Parameter 'args' expects a command");
    expect_json_error("{\"transport\":\"socket\"}",
                      "Parameter 'type' is missing");
    expect_json_error("{\"transport\":\"socket\",\"type\":\"inet\","
                      "\"host\":\"h\",\"port\":1}",
                      "Invalid parameter type for 'port', expected: string");
    expect_json_error("{\"transport\":\"socket\",\"type\":\"inet\","
                      "\"host\":\"h\",\"port\":\"1\",\"to\":65536}",
                      "Parameter 'to' expects uint16_t");
    expect_json_error("{\"transport\":\"socket\",\"type\":\"fd\","
                      "\"str\":\"1\",\"path\":\"x\"}",
                      "Parameter 'path' is unexpected");
}

static void expect_uri(const char *uri, const char *expected)
{
    struct gw_address *address = parse_uri(uri);
    char *text = gw_address_to_uri(address);

    assert_string_equal(text, expected);
    free(text);
    gw_address_free(address);
}

static void test_address__to_uri(void **state)
{
    struct gw_address *address;
    char *text;

    (void)state;
    expect_uri("file:/a", "file:/a");
    expect_uri("file:/a,offset=1k", "file:/a,offset=1024");
    expect_uri("tcp:[::1]:1,ipv4=off,to=2", "tcp:[::1]:1,to=2,ipv4=off");
    expect_uri("tcp:[[1]:4", "tcp:[[1]:4");
    expect_uri("unix:/a", "unix:/a");
    expect_uri("vsock:1:2", "vsock:1:2");
    expect_uri("fd:x", "fd:x");
    expect_uri("exec:cat > a", "exec:cat > a");
    address = parse_json("{\"transport\":\"exec\",\"args\":[\"a\",\"b'c\"]}");
    text = gw_address_to_uri(address);
    assert_string_equal(text, "exec:'a' 'b'\\''c'");
    free(text);
    gw_address_free(address);
}

static void test_address__dup_is_deep(void **state)
{
    struct gw_address *address = parse_uri("exec:true");
    struct gw_address *copy = gw_address_dup(address);

    (void)state;
    assert_ptr_not_equal(copy->args[2], address->args[2]);
    gw_address_free(address);
    assert_string_equal(copy->args[2], "true");
    assert_null(gw_address_free(copy));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address__file_names_and_offsets),
        cmocka_unit_test(test_address__bad_offsets),
        cmocka_unit_test(test_address__tcp_hosts_and_ports),
        cmocka_unit_test(test_address__tcp_options),
        cmocka_unit_test(test_address__bad_tcp),
        cmocka_unit_test(test_address__other_transports),
        cmocka_unit_test(test_address__bad_uris),
        cmocka_unit_test(test_address__json_forms),
        cmocka_unit_test(test_address__json_shapes_that_do_not_fit),
        cmocka_unit_test(test_address__to_uri),
        cmocka_unit_test(test_address__dup_is_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
