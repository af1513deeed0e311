/* The network of one life, over one rtnetlink socket in each namespace. */
#include "veth.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char host_end[IFNAMSIZ];

struct request {
  struct nlmsghdr head;
  union {
    struct ifinfomsg link;
    struct ifaddrmsg address;
    struct rtmsg route;
    char room[512];
  };
};

static void begin(struct request *request, int type, int flags, size_t size) {
  memset(request, 0, sizeof *request);
  request->head.nlmsg_len = NLMSG_LENGTH(size);
  request->head.nlmsg_type = (uint16_t)type;
  request->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
}

static struct rtattr *put(struct request *request, int type, const void *value, size_t size) {
  struct rtattr *attribute =
      (struct rtattr *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));
  attribute->rta_type = (uint16_t)type;
  attribute->rta_len = (uint16_t)RTA_LENGTH(size);
  if (size > 0) memcpy(RTA_DATA(attribute), value, size);
  request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
  return attribute;
}

static void close_nest(struct request *request, struct rtattr *nest) {
  nest->rta_len = (uint16_t)((char *)request + request->head.nlmsg_len - (char *)nest);
}

static int netlink(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) fail("netlink");
  return fd;
}

/* The kernel's answer, an errno; 0 for done. */
static int answered(int fd, struct request *request, const char *what) {
  char answer[1024];
  if (send(fd, request, request->head.nlmsg_len, 0) < 0) fail(what);
  if (recv(fd, answer, sizeof answer, 0) < 0) fail(what);
  const struct nlmsgerr *error = NLMSG_DATA((struct nlmsghdr *)answer);
  return -error->error;
}

static void ask(int fd, struct request *request, const char *what) {
  errno = answered(fd, request, what);
  if (errno != 0) fail(what);
}

static void make_pair(int fd, pid_t pid, int bridge) {
  struct request request;
  begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof request.link);
  request.link.ifi_flags = request.link.ifi_change = IFF_UP;
  put(&request, IFLA_IFNAME, host_end, strlen(host_end) + 1);
  put(&request, IFLA_MASTER, &bridge, sizeof bridge);
  struct rtattr *info = put(&request, IFLA_LINKINFO, NULL, 0);
  put(&request, IFLA_INFO_KIND, "veth", 4);
  struct rtattr *data = put(&request, IFLA_INFO_DATA, NULL, 0);
  struct ifinfomsg none = {0};
  struct rtattr *peer = put(&request, VETH_INFO_PEER, &none, sizeof none);
  put(&request, IFLA_IFNAME, "eth0", 5);
  put(&request, IFLA_NET_NS_PID, &pid, sizeof pid);
  close_nest(&request, peer);
  close_nest(&request, data);
  close_nest(&request, info);
  ask(fd, &request, "veth");
}

static void set_up(int fd, int index) {
  struct request request;
  begin(&request, RTM_NEWLINK, 0, sizeof request.link);
  request.link.ifi_index = index;
  request.link.ifi_flags = request.link.ifi_change = IFF_UP;
  ask(fd, &request, "up");
}

static void give_address(int fd, int index, const struct in_addr *address) {
  struct request request;
  begin(&request, RTM_NEWADDR, NLM_F_CREATE, sizeof request.address);
  request.address.ifa_family = AF_INET;
  request.address.ifa_prefixlen = 24;
  request.address.ifa_index = (uint32_t)index;
  put(&request, IFA_LOCAL, address, sizeof *address);
  put(&request, IFA_ADDRESS, address, sizeof *address);
  ask(fd, &request, "address");
}

static void route_by(int fd, const struct in_addr *gateway) {
  struct request request;
  begin(&request, RTM_NEWROUTE, NLM_F_CREATE, sizeof request.route);
  request.route.rtm_family = AF_INET;
  request.route.rtm_table = RT_TABLE_MAIN;
  request.route.rtm_protocol = RTPROT_BOOT;
  request.route.rtm_scope = RT_SCOPE_UNIVERSE;
  request.route.rtm_type = RTN_UNICAST;
  put(&request, RTA_GATEWAY, gateway, sizeof *gateway);
  ask(fd, &request, "route");
}

void join_bridge(pid_t pid, const char *bridge) {
  char path[64];
  struct in_addr address, gateway;
  /* The one before may still be there: the kernel takes it away after its namespace. */
  static int count;
  snprintf(host_end, sizeof host_end, "tsbl%d.%d", getpid() % 100000, count++ % 100);
  inet_aton("198.18.77.2", &address);
  inet_aton("198.18.77.1", &gateway);
  int fd = netlink();
  make_pair(fd, pid, (int)if_nametoindex(bridge));
  close(fd);
  snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
  int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  int inside = open(path, O_RDONLY | O_CLOEXEC);
  if (home < 0 || inside < 0 || setns(inside, CLONE_NEWNET) < 0) fail("setns");
  fd = netlink();
  int index = (int)if_nametoindex("eth0");
  set_up(fd, (int)if_nametoindex("lo"));
  set_up(fd, index);
  give_address(fd, index, &address);
  route_by(fd, &gateway);
  close(fd);
  if (setns(home, CLONE_NEWNET) < 0) fail("setns");
  close(home);
  close(inside);
}

void make_bridge(const char *name) {
  struct request request;
  int fd = netlink();
  begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof request.link);
  request.link.ifi_flags = request.link.ifi_change = IFF_UP;
  put(&request, IFLA_IFNAME, name, strlen(name) + 1);
  struct rtattr *info = put(&request, IFLA_LINKINFO, NULL, 0);
  put(&request, IFLA_INFO_KIND, "bridge", 6);
  close_nest(&request, info);
  ask(fd, &request, "bridge");
  close(fd);
}

static int remove_link(const char *name) {
  struct request request;
  int fd = netlink();
  begin(&request, RTM_DELLINK, 0, sizeof request.link);
  put(&request, IFLA_IFNAME, name, strlen(name) + 1);
  int error = answered(fd, &request, name);
  close(fd);
  return error;
}

void remove_bridge(const char *name) {
  errno = remove_link(name);
  if (errno != 0) fail(name);
}
