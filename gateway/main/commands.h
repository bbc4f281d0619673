/*
 * commands.h - one function per subcommand
 *
 * argv[0] is the subcommand's name. Each parses its own options, answers --help,
 * and returns the exit status: 0 ok, 1 problem found, 2 wrong usage.
 */
#ifndef MAIN_COMMANDS_H
#define MAIN_COMMANDS_H

int	cmd_serve(int argc, char **argv);
int	cmd_check(int argc, char **argv);
int	cmd_lint(int argc, char **argv);
int	cmd_encode(int argc, char **argv);
int	cmd_decode(int argc, char **argv);
int	cmd_simulate(int argc, char **argv);
int	cmd_backup(int argc, char **argv);
int	cmd_move(int argc, char **argv);
int	cmd_status(int argc, char **argv);
int	cmd_admin(int argc, char **argv);

#endif
