//! The parts of template, worker and front, without Python and without HTTP.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::process::ExitCode;

use alula_process::template::{self, Application, Forked, LoadError};
use alula_process::{Heard, Order, Sources, WorkerSeat, front};
use rustix::event::{PollFd, PollFlags};

use crate::server::Shape;

pub(crate) fn template() -> ExitCode {
    let inherited = template::inherited(&std::env::var("ALULA_TEMPLATE").unwrap()).unwrap();
    let shape: Shape = inherited.site().parse().unwrap();
    let import = shape.import.clone();
    if let Some(seat) = template::run(inherited, &mut FakeApplication { import }).unwrap() {
        if shape.import == "kills workers" {
            return ExitCode::from(3);
        }
        serve(&seat);
    }
    ExitCode::SUCCESS
}

pub(crate) fn front(description: &str) -> ExitCode {
    serve(&front::inherited(description).unwrap());
    ExitCode::SUCCESS
}

struct FakeApplication {
    import: String,
}

impl Application for FakeApplication {
    fn site_files(&mut self) -> Option<Vec<u8>> {
        None
    }

    fn sources(&mut self) -> Sources {
        Sources::default()
    }

    fn load(&mut self) -> Result<(), LoadError> {
        match self.import.as_str() {
            "fails" => Err(LoadError::Failed("No module named 'mysite'".to_owned())),
            "has threads" => Err(LoadError::Unforkable("it has started 2 threads".to_owned())),
            "crashes" => crash(),
            _ => Ok(()),
        }
    }

    fn fork(&mut self) -> io::Result<Forked> {
        // SAFETY: this program has one thread.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => Ok(Forked::Child),
            pid => Ok(Forked::Parent(pid.cast_unsigned())),
        }
    }
}

fn serve(seat: &WorkerSeat) {
    seat.control.ready().unwrap();
    loop {
        let mut polled = vec![PollFd::new(&seat.control, PollFlags::IN)];
        let sockets = seat
            .listeners
            .iter()
            .map(|listener| listener.socket.as_fd());
        polled.extend(sockets.map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, None)).unwrap();
        if let Some(Heard::Order(Order::Now | Order::Graceful)) = seat.control.heard().unwrap() {
            return;
        }
        for listener in &seat.listeners {
            if let Ok((client, _)) = listener.socket.accept() {
                client.set_nonblocking(false).unwrap();
                seat.slot.request_started();
                // A client that gives up is its own fault.
                let _ = answer(seat, client);
                seat.slot.request_finished(0, 0);
            }
        }
    }
}

fn answer(seat: &WorkerSeat, mut client: TcpStream) -> io::Result<()> {
    let mut word = String::new();
    BufReader::new(&client).read_line(&mut word)?;
    match word.trim() {
        "crash" => crash(),
        "hang" => {
            writeln!(client, "hanging")?;
            drop(client);
            loop {
                std::thread::park();
            }
        }
        "leave" => seat.control.leaving("a client said so")?,
        _ => {}
    }
    writeln!(
        client,
        "{} {}",
        std::process::id(),
        seat.slot.row().generation
    )
}

fn crash() -> ! {
    // SAFETY: raising a signal that ends the process, before which nothing has to be put in order.
    unsafe {
        libc::signal(libc::SIGSEGV, libc::SIG_DFL);
        libc::raise(libc::SIGSEGV);
    }
    unreachable!("the signal has ended this process")
}
